package assistant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

// Names of the built-in tools.
const (
	toolSearchCatalog   = "search_catalog"
	toolSearchKnowledge = "search_knowledge"
	toolSendImage       = "send_image"
	toolCreateOrder     = "create_order"
	toolHandOff         = "handoff"
)

// Schemas of their arguments.
const (
	queryParameters = `{"type":"object","additionalProperties":false,"required":["query"],"properties":{
		"query":{"type":"string","minLength":1,"maxLength":400,"description":"What to look for, in the customer's words"}}}`
	catalogParameters = `{"type":"object","additionalProperties":false,"required":["query"],"properties":{
		"query":{"type":"string","minLength":1,"maxLength":400,"description":"What to look for, in the customer's words"},
		"max_price":{"type":"number","minimum":0,"description":"Leave out products above this price"},
		"brand":{"type":"string","maxLength":100,"description":"Only products of this brand"},
		"only_available":{"type":"boolean","description":"Leave out products that can't be had"}}}`
	imageParameters = `{"type":"object","additionalProperties":false,"required":["product_id"],"properties":{
		"product_id":{"type":"string","minLength":1,"maxLength":100,"description":"The product whose photo to send"}}}`
	orderParameters = `{"type":"object","additionalProperties":false,"required":["items"],"properties":{
		"items":{"type":"array","minItems":1,"maxItems":50,"items":{"type":"object","additionalProperties":false,"required":["product_id","quantity"],
			"properties":{"product_id":{"type":"string","minLength":1,"maxLength":100},"quantity":{"type":"integer","minimum":1,"maximum":999}}}},
		"note":{"type":"string","maxLength":500,"description":"What the customer adds, such as an address or a wish"}}}`
	handOffParameters = `{"type":"object","additionalProperties":false,"properties":{
		"message":{"type":"string","maxLength":1000,"description":"What to tell the customer before a person takes over"}}}`
)

// builtin are the tools that every chat model has.
func (m *Model) builtin(w *work) []Tool {
	return []Tool{
		{
			Name: toolSearchCatalog, Parameters: json.RawMessage(catalogParameters), Timeout: builtinTimeout,
			Description: "Finds products of the shop with their ids, prices and availability.",
			Run:         func(ctx context.Context, a json.RawMessage) (string, error) { return m.searchCatalog(ctx, w, a) },
		},
		{
			Name: toolSearchKnowledge, Parameters: json.RawMessage(queryParameters), Timeout: builtinTimeout,
			Description: "Finds what the shop says about itself: delivery, opening hours, returns and the like.",
			Run:         func(ctx context.Context, a json.RawMessage) (string, error) { return m.searchKnowledge(ctx, w, a) },
		},
		{
			Name: toolSendImage, Parameters: json.RawMessage(imageParameters), Timeout: builtinTimeout,
			Description: "Sends the customer the photo of a product, together with your answer.",
			Run:         func(ctx context.Context, a json.RawMessage) (string, error) { return m.sendImage(ctx, w, a) },
		},
		{
			Name: toolCreateOrder, Parameters: json.RawMessage(orderParameters), Timeout: builtinTimeout,
			Description: "Drafts an order at the catalog's prices. The customer then sees the summary and confirms it with a button; until then nothing is ordered.",
			Run:         func(ctx context.Context, a json.RawMessage) (string, error) { return m.createOrder(ctx, w, a) },
		},
		{
			Name: toolHandOff, Parameters: json.RawMessage(handOffParameters), Timeout: builtinTimeout,
			Description: "Hands the conversation to a person of the shop. Use it when the customer wants one, is upset, or needs what you can't do.",
			Run:         func(_ context.Context, a json.RawMessage) (string, error) { return w.handOver(a) },
		},
	}
}

func (m *Model) searchCatalog(ctx context.Context, w *work, arguments json.RawMessage) (string, error) {
	var q struct {
		Query         string   `json:"query"`
		MaxPrice      *float64 `json:"max_price"`
		Brand         string   `json:"brand"`
		OnlyAvailable bool     `json:"only_available"`
	}
	if err := json.Unmarshal(arguments, &q); err != nil {
		return "", err
	}
	found := []promptProduct{}
	err := m.library.Use(ctx, w.turn.Channel, func(x *catalog.Index) error {
		hits, err := x.SearchProducts(ctx, q.Query, searched)
		for i := range hits {
			p := &hits[i].Product
			switch {
			case len(found) == promptProducts:
			case q.OnlyAvailable && !orderable(p):
			case q.Brand != "" && !equalFold(p.Brand, q.Brand):
			case q.MaxPrice != nil && (p.CurrentPrice().IsZero() || float64(p.CurrentPrice().Thousandths) > *q.MaxPrice*1000):
			default:
				w.products[p.ID] = *p
				found = append(found, newPromptProduct(p))
			}
		}
		return err
	})
	return told("products", found, err)
}

// searched is how many products are looked through for those that the filters of a search leave.
const searched = 50

func (m *Model) searchKnowledge(ctx context.Context, w *work, arguments json.RawMessage) (string, error) {
	var q struct {
		Query string `json:"query"`
	}
	if err := json.Unmarshal(arguments, &q); err != nil {
		return "", err
	}
	found := []promptPassage{}
	err := m.library.Use(ctx, w.turn.Channel, func(x *catalog.Index) error {
		hits, err := x.SearchPassages(ctx, q.Query, promptPassages)
		for i := range hits {
			found = append(found, newPromptPassage(&hits[i].Passage))
		}
		return err
	})
	return told("knowledge", found, err)
}

// told encodes what a tool found, or passes the error on.
func told(name string, found any, err error) (string, error) {
	if err != nil {
		return "", err
	}
	encoded, err := json.Marshal(map[string]any{name: found})
	if err != nil {
		return "", fmt.Errorf("encode what a tool found: %w", err)
	}
	return shrink(string(encoded), maxResult), nil
}

func (m *Model) sendImage(ctx context.Context, w *work, arguments json.RawMessage) (string, error) {
	var q struct {
		ProductID string `json:"product_id"`
	}
	if err := json.Unmarshal(arguments, &q); err != nil {
		return "", err
	}
	if len(w.images) >= maxCards {
		return "", &ToolError{Text: "Enough images for one answer."}
	}
	var product catalog.Product
	var known bool
	err := m.library.Use(ctx, w.turn.Channel, func(x *catalog.Index) error {
		product, known = x.Product(q.ProductID)
		return nil
	})
	switch {
	case err != nil:
		return "", err
	case !known:
		return "", &ToolError{Text: "There is no such product. Take ids from search_catalog."}
	case product.ImageLink == "":
		return "", &ToolError{Text: "The product has no photo."}
	}
	w.products[product.ID] = product
	w.images = append(w.images, Image{Link: product.ImageLink, Caption: product.Title})
	return `{"sent":"with your answer"}`, nil
}

func (m *Model) createOrder(ctx context.Context, w *work, arguments json.RawMessage) (string, error) {
	var q struct {
		Items []OrderLine `json:"items"`
		Note  string      `json:"note"`
	}
	if err := json.Unmarshal(arguments, &q); err != nil {
		return "", err
	}
	if w.order == nil && w.action != nil {
		return "", &ToolError{Text: oneDecision}
	}
	note, err := m.written(ctx, w, q.Note)
	if err != nil {
		return "", err
	}
	order, err := m.library.Order(ctx, w.turn.Channel, q.Items, note)
	if problem, ok := errors.AsType[*OrderError](err); ok {
		return "", &ToolError{Text: problem.Error()}
	}
	if err != nil {
		return "", err
	}
	w.order = order
	return told("draft", map[string]any{"items": order.Items, "total": order.Total, "next": "The customer is shown this summary with buttons to confirm, change or cancel. Nothing is ordered yet."}, nil)
}

func (w *work) handOver(arguments json.RawMessage) (string, error) {
	var q struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(arguments, &q); err != nil {
		return "", err
	}
	w.handOff, w.farewell = true, q.Message
	return `{"handed_off":true}`, nil
}
