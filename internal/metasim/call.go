package metasim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
)

const (
	// Meta takes documents up to 100 MB; the rest of a multipart body is small.
	maxUpload = 101 << 20
	maxBody   = 1 << 20
)

// call is one request to the Graph API, with its parameters from wherever the client put them.
type call struct {
	r        *http.Request
	method   string
	path     string
	version  string // "v25.0", empty when unversioned
	segments []string
	name     string
	objectID string
	params   map[string]json.RawMessage
	file     *uploadedFile
	token    *token
	fault    string
}

type uploadedFile struct {
	data        []byte
	contentType string
	name        string
}

func parseCall(w http.ResponseWriter, r *http.Request) (*call, *graphError) {
	c := &call{r: r, method: r.Method, path: r.URL.Path, params: map[string]json.RawMessage{}}
	rest := r.URL.Path
	if v := versionPrefix.FindString(rest); v != "" {
		c.version = strings.Trim(v, "/")
		rest = rest[len(v)-1:]
	}
	if rest = strings.Trim(rest, "/"); rest != "" {
		c.segments = strings.Split(rest, "/")
	}
	for k, v := range r.URL.Query() {
		c.params[k] = formValue(v[0])
	}
	if err := c.parseBody(w); err != nil {
		return c, errf(100, "The request body can't be read: %s", err)
	}
	return c, nil
}

func (c *call) parseBody(w http.ResponseWriter) error {
	base, typeParams, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil {
		base = ""
	}
	limit := int64(maxBody)
	if base == "multipart/form-data" {
		limit = maxUpload
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, c.r.Body, limit))
	if err != nil {
		return errors.New("it is too large or incomplete")
	}
	switch {
	case len(body) == 0:
		return nil
	case base == "multipart/form-data":
		return c.parseMultipart(body, typeParams["boundary"])
	case base == "application/json":
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(body, &fields); err != nil {
			return errors.New("it is not a JSON object")
		}
		maps.Copy(c.params, fields)
		return nil
	default:
		return c.parseForm(body)
	}
}

func (c *call) parseForm(body []byte) error {
	for pair := range strings.SplitSeq(string(body), "&") {
		k, v, _ := strings.Cut(pair, "=")
		key, err := unescape(k)
		if err != nil {
			return err
		}
		value, err := unescape(v)
		if err != nil {
			return err
		}
		c.params[key] = formValue(value)
	}
	return nil
}

func (c *call) parseMultipart(body []byte, boundary string) error {
	mr := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.New("the multipart form is malformed")
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return errors.New("the multipart form is malformed")
		}
		if part.FileName() != "" {
			c.file = &uploadedFile{data: data, contentType: part.Header.Get("Content-Type"), name: part.FileName()}
			continue
		}
		c.params[part.FormName()] = formValue(string(data))
	}
}

// formValue keeps objects and arrays as JSON, because Graph accepts them inside forms, and makes all else a string.
func formValue(v string) json.RawMessage {
	trimmed := strings.TrimSpace(v)
	if (strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[")) && json.Valid([]byte(trimmed)) {
		return json.RawMessage(trimmed)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage(`""`)
	}
	return b
}

func (c *call) raw(name string) json.RawMessage { return c.params[name] }

// str returns a parameter as text: strings unquoted, numbers and booleans as written, "" when absent or null.
func (c *call) str(name string) string { return rawString(c.params[name]) }

func (c *call) has(name string) bool {
	_, ok := c.params[name]
	return ok
}

func rawString(v json.RawMessage) string {
	if len(v) == 0 || string(v) == "null" {
		return ""
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}

// object reads a parameter as a JSON object; a string that contains one is accepted too, as Graph does for forms.
func (c *call) object(name string) (map[string]json.RawMessage, bool) {
	return rawObject(c.params[name])
}

func rawObject(v json.RawMessage) (map[string]json.RawMessage, bool) {
	var m map[string]json.RawMessage
	if len(v) == 0 || json.Unmarshal(v, &m) != nil || m == nil {
		return nil, false
	}
	return m, true
}

// project returns id and the requested fields, in Graph's manner: known but empty ones are left out, unknown ones are an
// error. known lists fields that exist but may be absent from node.
func (c *call) project(typeName string, node map[string]any, known, defaults []string) (map[string]any, *graphError) {
	fields := defaults
	if f := c.str("fields"); f != "" {
		fields = splitFields(f)
	}
	out := map[string]any{}
	for _, f := range fields {
		if v, ok := node[f]; ok {
			out[f] = v
			continue
		}
		if !slices.Contains(known, f) {
			return nil, errf(100, "Tried accessing nonexisting field (%s) on node type (%s)", f, typeName)
		}
	}
	out["id"] = node["id"]
	return out, nil
}

// splitFields splits at commas outside of parentheses and braces and drops what follows a name.
func splitFields(list string) []string {
	var out []string
	depth, start := 0, 0
	add := func(end int) {
		name := strings.TrimSpace(list[start:end])
		if i := strings.IndexAny(name, ".({"); i >= 0 {
			name = name[:i]
		}
		if name != "" {
			out = append(out, name)
		}
	}
	for i, r := range list {
		switch r {
		case '(', '{':
			depth++
		case ')', '}':
			depth--
		case ',':
			if depth == 0 {
				add(i)
				start = i + 1
			}
		}
	}
	add(len(list))
	return out
}

func success() map[string]any { return map[string]any{"success": true} }
