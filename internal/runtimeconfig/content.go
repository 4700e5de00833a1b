package runtimeconfig

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	// MaxContentBytes bounds a Content's gzipped form, so that it fits a ConfigMap with room to spare.
	MaxContentBytes = 256 << 10
	// maxContentUnpacked bounds what a server unpacks, so that a small bomb can't fill its memory.
	maxContentUnpacked = 16 << 20
)

// ErrContentTooLarge means that a catalog and knowledge together exceed MaxContentBytes gzipped.
var ErrContentTooLarge = errors.New("catalog and knowledge exceed 256 KiB gzipped; shorten them")

// Content is the catalog and knowledge of a number.
type Content struct {
	// CatalogFormat is CSV, TSV, JSON or XML; empty when there is no catalog.
	CatalogFormat string `json:"catalogFormat,omitempty"`
	// Catalog is the feed as it was given.
	Catalog []byte `json:"catalog,omitempty"`
	// Knowledge are the documents, in the order of the channel's spec.
	Knowledge []Document `json:"knowledge,omitempty"`

	// Revision identifies the content; set by Object and Load.
	Revision string `json:"-"`
}

// Document is one Markdown or text document.
type Document struct {
	// Name for messages about it: the ConfigMap's key.
	Name string `json:"name"`
	// Text of the document.
	Text string `json:"text"`
}

// Object encodes the content of a number and sets c.Revision. It fails with ErrContentTooLarge.
func (c *Content) Object(phoneNumberID string) (Object, error) {
	plain, err := json.Marshal(c)
	if err != nil {
		return Object{}, fmt.Errorf("encode content: %w", err)
	}
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write(plain); err != nil {
		return Object{}, fmt.Errorf("compress content: %w", err)
	}
	if err := zip.Close(); err != nil {
		return Object{}, fmt.Errorf("compress content: %w", err)
	}
	if packed.Len() > MaxContentBytes {
		return Object{}, ErrContentTooLarge
	}
	data, err := settings(KindContent, struct{}{})
	if err != nil {
		return Object{}, err
	}
	data[KeyContent] = packed.Bytes()
	c.Revision = Revision(map[string][]byte{KeyContent: plain})
	return Object{Name: ContentName(phoneNumberID, c.Revision), Data: data}, nil
}

// decodeContent reads what Object wrote.
func decodeContent(packed []byte) (*Content, error) {
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("%s is not gzip: %w", KeyContent, err)
	}
	plain, err := io.ReadAll(io.LimitReader(zip, maxContentUnpacked+1))
	if err != nil {
		return nil, fmt.Errorf("%s can't be unpacked: %w", KeyContent, err)
	}
	if len(plain) > maxContentUnpacked {
		return nil, fmt.Errorf("%s unpacks to more than %d bytes", KeyContent, maxContentUnpacked)
	}
	content := &Content{}
	if err := json.Unmarshal(plain, content); err != nil {
		return nil, fmt.Errorf("%s is not valid JSON: %w", KeyContent, err)
	}
	content.Revision = Revision(map[string][]byte{KeyContent: plain})
	return content, nil
}
