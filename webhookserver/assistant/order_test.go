package assistant

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

// scribble makes texts of what breaks naive cutting.
func scribble(r *rand.Rand, most int) string {
	var b strings.Builder
	for range r.IntN(most + 1) {
		b.WriteString(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

func anyProduct(r *rand.Rand, i int) catalog.Product {
	p := catalog.Product{
		ID: fmt.Sprint("p", i, scribble(r, 80)), Title: scribble(r, 300), Description: scribble(r, 3000),
		Price: catalog.Price{Thousandths: r.Int64N(1e15), Decimals: 2, Currency: "USD"},
	}
	if r.IntN(2) == 0 {
		p.ImageLink, p.Link = "https://x.example/"+scribble(r, 2), "https://x.example/"+scribble(r, 900)
	}
	return p
}

func anyText(r *rand.Rand) Part { return Text{scribble(r, 9000)} }

// TestDecisionsAreShownWhole: however much a model writes, and however long an order is, the customer sees all of what he decides on,
// within WhatsApp's limits, and the buttons below it.
func TestDecisionsAreShownWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4)) // fixed, so that a failure can be repeated
	words := &Words{OrderTitle: "Your order", OrderTotal: "Total", OrderAsk: "Would you like it?", Confirm: "Confirm", Change: "Change", Cancel: "Cancel", ActionAsk: "Shall I?", Yes: "Yes", No: "No"}
	for range 150 {
		order := &Order{ID: "o1", Total: "12.50 USD", Note: scribble(r, maxNote/2)}
		for i := range 1 + r.IntN(maxOrderLines) {
			order.Items = append(order.Items, OrderItem{ProductID: fmt.Sprint(i), Title: scribble(r, 300), Quantity: i + 1, Amount: "9.99 USD"})
		}
		var above []Part
		for range r.IntN(7) {
			above = append(above, anyText(r))
		}
		got := FitAbove(above, []Part{OrderSummary(order, words)})
		decides(t, got, "order:confirm:o1", "order:change:o1", "order:cancel:o1")
		all := ""
		for _, part := range got {
			all += part.Summary() + "\n"
		}
		for i := range order.Items {
			if !strings.Contains(all, fmt.Sprintf("%d × ", i+1)) {
				t.Fatalf("line %d of %d is not shown:\n%s", i+1, len(order.Items), all)
			}
		}
		if !strings.Contains(all, "Total: 12.50 USD") || !strings.Contains(all, words.OrderAsk) {
			t.Fatalf("no total, or no question:\n%s", all)
		}

		arguments, err := json.Marshal(map[string]string{"who": scribble(r, 100)})
		if err != nil {
			t.Fatal(err)
		}
		action := &Action{ID: "k1", Tool: "crm__book", Arguments: arguments}
		if length(shownAction(action)) > maxShownAction {
			continue // it is not proposed
		}
		got = FitAbove(above, []Part{ActionQuestion(action, words)})
		decides(t, got, "action:do:k1", "action:drop:k1")
		if shown := got[len(got)-1].Summary(); !strings.Contains(clean(shown), clean(shownAction(action))) {
			t.Fatalf("of %q the customer sees %q", shownAction(action), shown)
		}
	}
}

// decides wants parts within the limits, of which the last one has these buttons.
func decides(t *testing.T, parts []Part, ids ...string) {
	t.Helper()
	assertFits(t, parts)
	last, ok := parts[len(parts)-1].(Buttons)
	if !ok || len(last.Buttons) != len(ids) || len(parts) > MaxParts {
		t.Fatalf("%d parts, the last one is %+v", len(parts), parts[len(parts)-1])
	}
	for i, id := range ids {
		if last.Buttons[i].ID != id {
			t.Errorf("button %d is %q, want %q", i, last.Buttons[i].ID, id)
		}
	}
}

// TestAnyProductFits: cards and lists of any catalog are within WhatsApp's limits.
func TestAnyProductFits(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 150 {
		var products []catalog.Product
		for i := range r.IntN(14) {
			products = append(products, anyProduct(r, i))
		}
		parts := []Part{List{Body: scribble(r, 6000), Button: scribble(r, 40), Rows: productRows(products)}}
		for i := range products {
			parts = append(parts, ProductCard(&products[i], products[i].CurrentPrice().String(), promptDescription))
		}
		assertFits(t, parts)
		for _, part := range parts {
			assertFits(t, []Part{part})
		}
		if t.Failed() {
			t.Fatalf("products: %#v", products)
		}
	}
}

func TestFitAboveMakesRoom(t *testing.T) {
	question := Buttons{Body: "Sure?", Buttons: []Button{{ID: "yes", Title: "Yes"}}}
	for _, tc := range []struct {
		above, decision, want int
	}{{0, 1, 1}, {4, 1, 5}, {9, 1, 5}, {9, 2, 5}, {2, 5, 5}} {
		var above, decision []Part
		for i := range tc.above {
			above = append(above, Text{fmt.Sprint("text ", i)})
		}
		for range tc.decision {
			decision = append(decision, question)
		}
		got := FitAbove(above, decision)
		if len(got) != tc.want {
			t.Errorf("%d parts above %d: %d", tc.above, tc.decision, len(got))
		}
		for _, part := range got[len(got)-tc.decision:] {
			if _, ok := part.(Buttons); !ok {
				t.Errorf("%d parts above %d: a decision is missing in %v", tc.above, tc.decision, got)
			}
		}
	}
}
