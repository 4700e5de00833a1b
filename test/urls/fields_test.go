package urls

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// tried are the fields of tenants' objects that are URLs, and where the server keeps them. TestNoURLLeadsInside goes through all.
var tried = map[string]string{
	"WhatsAppChannel spec.assistant.chat.baseURL":          "chat",
	"WhatsAppChannel spec.assistant.transcription.baseURL": "transcription",
	"WhatsAppChannel spec.assistant.vision.baseURL":        "vision",
	"WhatsAppChannel spec.assistant.images.baseURL":        "images",
	"WhatsAppChannel spec.assistant.embeddings.baseURL":    "embeddings",
	"WhatsAppChannel spec.assistant.catalog.url":           "catalog",
	"WhatsAppChannel spec.assistant.knowledge[].url":       "knowledge",
	"WhatsAppChannel spec.assistant.tools[].mcp.url":       "tools",
	"WhatsAppChannel spec.orders.notify.url":               "orders",
}

// byName finds fields that are URLs by their names, in case somebody forgot the rule that checks their form.
var byName = regexp.MustCompile(`(?i)(url|uri|endpoint|webhook|callback|host|address)s?$`)

// definition is what is read of a CustomResourceDefinition.
type definition struct {
	Spec struct {
		Scope string `json:"scope"`
		Names struct {
			Kind string `json:"kind"`
		} `json:"names"`
		Versions []struct {
			Schema struct {
				OpenAPIV3Schema schema `json:"openAPIV3Schema"`
			} `json:"schema"`
		} `json:"versions"`
	} `json:"spec"`
}

type schema struct {
	Type                 string            `json:"type"`
	Format               string            `json:"format"`
	Properties           map[string]schema `json:"properties"`
	Items                *schema           `json:"items"`
	AdditionalProperties *schema           `json:"additionalProperties"`
	Validations          []rule            `json:"x-kubernetes-validations"`
}

type rule struct {
	Rule string `json:"rule"`
}

// TestEveryURLIsTried finds the URLs in all namespaced kinds, whose objects are tenants'.
func TestEveryURLIsTried(t *testing.T) {
	files, err := filepath.Glob("../../config/crd/bases/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("there are %d CustomResourceDefinitions: %v", len(files), err)
	}
	found := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd definition
		if err := yaml.Unmarshal(text, &crd); err != nil {
			t.Fatal(err)
		}
		for _, version := range crd.Spec.Versions {
			if spec := version.Schema.OpenAPIV3Schema.Properties["spec"]; crd.Spec.Scope == "Namespaced" {
				spec.urls(crd.Spec.Names.Kind+" spec", found)
			}
		}
	}
	if got, want := slices.Sorted(maps.Keys(found)), slices.Sorted(maps.Keys(tried)); !slices.Equal(got, want) {
		t.Errorf("the URLs of tenants are\n%s\ntried are\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// urls finds those in a schema.
func (s *schema) urls(path string, found map[string]bool) {
	checked := slices.ContainsFunc(s.Validations, func(v rule) bool { return strings.Contains(v.Rule, "isURL(") })
	if s.Type == "string" && (checked || byName.MatchString(path) || s.Format == "uri") {
		found[path] = true
	}
	for name, property := range s.Properties {
		property.urls(path+"."+name, found)
	}
	if s.Items != nil {
		s.Items.urls(path+"[]", found)
	}
	if s.AdditionalProperties != nil {
		s.AdditionalProperties.urls(path+"{}", found)
	}
}
