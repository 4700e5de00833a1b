package assistant

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

const (
	// maxOrderLines and maxQuantity bound an order; Meta's own cart is smaller.
	maxOrderLines = 50
	maxQuantity   = 999
	// maxOrderTotal keeps sums far inside an int64, in thousandths.
	maxOrderTotal = int64(1e15)
	// maxNote bounds a customer's note in characters.
	maxNote = 500
	// maxSummaryTitle bounds a product's title in a summary, so that the longest order can be shown as a whole.
	maxSummaryTitle = 100
)

// OrderLine is what a customer wants: how many of what.
type OrderLine struct {
	ProductID string `json:"product_id"`
	Quantity  int    `json:"quantity"`
}

// Order is a draft at the catalog's prices. Its JSON lies in the database and goes to shops, so members are added and never changed.
type Order struct {
	// ID is random and unguessable.
	ID    string      `json:"id"`
	Items []OrderItem `json:"items"`
	// Total such as 12.50 USD.
	Total string `json:"total"`
	// Note is what the customer adds; may be empty.
	Note string `json:"note,omitempty"`
}

// OrderItem is one line of an Order.
type OrderItem struct {
	ProductID string `json:"productID"`
	Title     string `json:"title"`
	Quantity  int    `json:"quantity"`
	// Price of one, and Amount of all of them, such as 12.50 USD.
	Price  string `json:"price"`
	Amount string `json:"amount"`
}

// OrderError means that nothing can be ordered like this.
type OrderError struct {
	// ProductID names the line at fault; empty if it is the whole.
	ProductID string
	// Title of the product, if there is one.
	Title string
	what  string
}

// Error says what is wrong, for a model or a log.
func (e *OrderError) Error() string {
	if e.ProductID == "" {
		return e.what
	}
	return fmt.Sprintf("product %q: %s", e.ProductID, e.what)
}

// Order drafts an order from the channel's catalog. Errors: *OrderError, and those of the search index.
func (l *Library) Order(ctx context.Context, ch *runtimeconfig.Channel, lines []OrderLine, note string) (*Order, error) {
	var order *Order
	err := l.Use(ctx, ch, func(x *catalog.Index) (err error) {
		order, err = newOrder(x, lines)
		return err
	})
	if err != nil {
		return nil, err
	}
	order.Note = shrink(clean(note), maxNote)
	return order, nil
}

func newOrder(x *catalog.Index, lines []OrderLine) (*Order, error) {
	lines = merged(lines)
	if len(lines) == 0 || len(lines) > maxOrderLines {
		return nil, &OrderError{what: fmt.Sprintf("an order has 1 to %d different products", maxOrderLines)}
	}
	order := &Order{ID: rand.Text()}
	var total catalog.Price
	for _, line := range lines {
		product, ok := x.Product(line.ProductID)
		price := product.CurrentPrice()
		refuse := func(what string) error {
			return &OrderError{ProductID: shrink(oneLine(clean(line.ProductID)), 100), Title: product.Title, what: what}
		}
		switch {
		case !ok:
			return nil, refuse("there is no such product; take ids from search_catalog")
		case line.Quantity < 1 || line.Quantity > maxQuantity:
			return nil, refuse(fmt.Sprintf("the quantity must be between 1 and %d", maxQuantity))
		case price.IsZero():
			return nil, refuse("the catalog has no price for it; hand off to a person")
		case !orderable(&product):
			return nil, refuse("it can't be ordered at the moment")
		case !total.IsZero() && total.Currency != price.Currency:
			return nil, refuse("its price is in another currency than the rest of the order")
		}
		amount := price
		if price.Thousandths > maxOrderTotal/int64(line.Quantity) {
			return nil, refuse("the amount is too large")
		}
		amount.Thousandths = price.Thousandths * int64(line.Quantity)
		total = catalog.Price{
			Thousandths: total.Thousandths + amount.Thousandths, Decimals: max(total.Decimals, price.Decimals), Currency: price.Currency,
		}
		if total.Thousandths > maxOrderTotal {
			return nil, refuse("the total is too large")
		}
		order.Items = append(order.Items, OrderItem{
			ProductID: product.ID, Title: product.Title, Quantity: line.Quantity, Price: price.String(), Amount: amount.String(),
		})
	}
	order.Total = total.String()
	return order, nil
}

// merged adds up the lines of one product.
func merged(lines []OrderLine) []OrderLine {
	at := map[string]int{}
	var out []OrderLine
	for _, l := range lines {
		if i, ok := at[l.ProductID]; ok && l.Quantity > 0 && l.Quantity <= maxQuantity {
			out[i].Quantity += l.Quantity
			continue
		}
		at[l.ProductID] = len(out)
		out = append(out, l)
	}
	return out
}

// orderable reports whether the catalog says nothing against ordering the product.
func orderable(p *catalog.Product) bool {
	return p.Availability != catalog.OutOfStock && p.Availability != catalog.Discontinued
}

func equalFold(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

// OrderSummary shows a draft with the buttons by which the customer decides.
func OrderSummary(o *Order, words *Words) Part {
	lines := []string{"*" + words.OrderTitle + "*"}
	for _, item := range o.Items {
		title := shrink(oneLine(strings.ReplaceAll(item.Title, "*", "")), maxSummaryTitle)
		lines = append(lines, fmt.Sprintf("%d × %s: %s", item.Quantity, title, item.Amount))
	}
	if o.Note != "" {
		lines = append(lines, "_"+oneLine(strings.ReplaceAll(o.Note, "_", " "))+"_")
	}
	lines = append(lines, "*"+words.OrderTotal+": "+o.Total+"*", words.OrderAsk)
	return Buttons{Body: strings.Join(lines, "\n"), Buttons: []Button{
		{ID: TapConfirmOrder + o.ID, Title: words.Confirm},
		{ID: TapChangeOrder + o.ID, Title: words.Change},
		{ID: TapCancelOrder + o.ID, Title: words.Cancel},
	}}
}
