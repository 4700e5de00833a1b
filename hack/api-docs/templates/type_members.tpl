{{- define "type_members" -}}
{{- if eq .Name "metadata" -}}
See `metadata` in the Kubernetes API.
{{- else -}}
{{ markdownRenderFieldDoc .Doc }}
{{- end -}}
{{- end -}}
