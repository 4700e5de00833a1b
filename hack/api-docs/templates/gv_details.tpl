{{- define "gvDetails" -}}
{{- $gv := . -}}
{{ $gv.Doc }}

Kinds of `{{ $gv.GroupVersionString }}`:
{{ range $gv.SortedKinds }}
- {{ $gv.TypeForKind . | markdownRenderTypeLink }}
{{- end }}

{{ range $gv.SortedTypes }}
{{- template "type" . }}
{{- end }}
{{- end -}}
