package retrieval

import (
	"slices"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
)

// Words implements assistant.Builtin, in the customer's language if it is one of the channel's.
func (a *Assistant) Words(turn assistant.Turn) *assistant.Words {
	p := a.choose(turn.Channel.Assistant.Languages, normalize(said(turn)))
	words := *p.words
	words.HandedOff = p.handedOff
	if message := turn.Channel.Handoff.Message; message != "" {
		words.HandedOff = message
	}
	return &words
}

// said is what tells the customer's language: taps have the language of our own buttons.
func said(turn assistant.Turn) string {
	text := turn.Question()
	for _, m := range slices.Backward(turn.History) {
		if m.FromCustomer {
			return text + " " + m.Text
		}
	}
	return text
}

// wantsToOrder reports whether the customer wants to order, which needs a model or a person.
func (a *Assistant) wantsToOrder(turn assistant.Turn) bool {
	for _, m := range turn.Unanswered {
		text := normalize(m.Text)
		for _, p := range a.spoken {
			if slices.Contains(p.orderWords, text) ||
				slices.ContainsFunc(p.orderPhrases, func(phrase string) bool { return contains(text, phrase) }) {
				return true
			}
		}
	}
	return false
}

// orderIntents are whole messages, and parts of messages, of somebody who wants to order.
func orderIntents(language string) (words, phrases []string) {
	switch language {
	case "de":
		return []string{"bestellen", "bestellung", "kaufen"}, []string{"möchte bestellen", "will bestellen", "bestellung aufgeben", "möchte kaufen", "ich nehme", "etwas bestellen"}
	case "es":
		return []string{"pedir", "pedido", "comprar"}, []string{"hacer un pedido", "quiero pedir", "quiero comprar", "quisiera comprar", "quisiera pedir"}
	case "fr":
		return []string{"commander", "commande", "acheter"}, []string{"passer commande", "passer une commande", "je voudrais commander", "je veux commander", "je voudrais acheter", "je veux acheter"}
	case "it":
		return []string{"ordinare", "ordine", "comprare"}, []string{"fare un ordine", "vorrei ordinare", "voglio ordinare", "vorrei comprare", "voglio comprare"}
	case "pt":
		return []string{"encomendar", "pedido", "comprar"}, []string{"fazer um pedido", "quero encomendar", "quero comprar", "gostaria de comprar", "gostaria de encomendar"}
	default:
		return []string{"order", "buy", "place order", "place an order"}, []string{"place an order", "place order", "i want to order", "i would like to order", "i'd like to order", "i want to buy", "i would like to buy", "i'd like to buy", "i'll take"}
	}
}

// serverWords are what the server says, by language.
func serverWords(language string) *assistant.Words {
	switch language {
	case "de":
		return &assistant.Words{
			OrderTitle: "Ihre Bestellung", OrderTotal: "Summe", OrderAsk: "Möchten Sie das so bestellen?",
			Confirm: "Bestellen", Change: "Ändern", Cancel: "Abbrechen",
			OrderPlaced: "Danke, Ihre Bestellung ist eingegangen.", OrderCancelled: "Die Bestellung ist abgebrochen.",
			OrderChange: "Was möchten Sie ändern?", OrderGone: "Diese Bestellung ist nicht mehr offen.",
			OrderProblem: "Das kann ich so leider nicht bestellen:",
			ActionAsk:    "Soll ich das tun?", Yes: "Ja", No: "Nein",
			ActionDone: "Das ist erledigt.", ActionFailed: "Das hat leider nicht geklappt. Ein Mensch kümmert sich darum.",
			ActionDropped: "Gut, dann nicht.", ActionGone: "Das steht nicht mehr an.",
		}
	case "es":
		return &assistant.Words{
			OrderTitle: "Su pedido", OrderTotal: "Total", OrderAsk: "¿Quiere hacer este pedido?",
			Confirm: "Confirmar", Change: "Cambiar", Cancel: "Cancelar",
			OrderPlaced: "Gracias, hemos recibido su pedido.", OrderCancelled: "El pedido está cancelado.",
			OrderChange: "¿Qué quiere cambiar?", OrderGone: "Este pedido ya no está abierto.",
			OrderProblem: "Lo siento, esto no se puede pedir así:",
			ActionAsk:    "¿Quiere que lo haga?", Yes: "Sí", No: "No",
			ActionDone: "Hecho.", ActionFailed: "Lo siento, no ha funcionado. Una persona se ocupará de ello.",
			ActionDropped: "De acuerdo, no lo hago.", ActionGone: "Eso ya no está pendiente.",
		}
	case "fr":
		return &assistant.Words{
			OrderTitle: "Votre commande", OrderTotal: "Total", OrderAsk: "Voulez-vous passer cette commande ?",
			Confirm: "Confirmer", Change: "Modifier", Cancel: "Annuler",
			OrderPlaced: "Merci, nous avons reçu votre commande.", OrderCancelled: "La commande est annulée.",
			OrderChange: "Que voulez-vous modifier ?", OrderGone: "Cette commande n'est plus ouverte.",
			OrderProblem: "Désolé, je ne peux pas commander cela ainsi :",
			ActionAsk:    "Dois-je le faire ?", Yes: "Oui", No: "Non",
			ActionDone: "C'est fait.", ActionFailed: "Désolé, cela n'a pas marché. Une personne va s'en occuper.",
			ActionDropped: "Très bien, je ne le fais pas.", ActionGone: "Ce n'est plus à confirmer.",
		}
	case "it":
		return &assistant.Words{
			OrderTitle: "Il suo ordine", OrderTotal: "Totale", OrderAsk: "Vuole fare questo ordine?",
			Confirm: "Conferma", Change: "Modifica", Cancel: "Annulla",
			OrderPlaced: "Grazie, abbiamo ricevuto il suo ordine.", OrderCancelled: "L'ordine è annullato.",
			OrderChange: "Che cosa vuole modificare?", OrderGone: "Questo ordine non è più aperto.",
			OrderProblem: "Mi dispiace, così non si può ordinare:",
			ActionAsk:    "Devo farlo?", Yes: "Sì", No: "No",
			ActionDone: "Fatto.", ActionFailed: "Mi dispiace, non ha funzionato. Se ne occuperà una persona.",
			ActionDropped: "Va bene, non lo faccio.", ActionGone: "Non è più da confermare.",
		}
	case "pt":
		return &assistant.Words{
			OrderTitle: "O seu pedido", OrderTotal: "Total", OrderAsk: "Quer fazer este pedido?",
			Confirm: "Confirmar", Change: "Alterar", Cancel: "Cancelar",
			OrderPlaced: "Obrigado, recebemos o seu pedido.", OrderCancelled: "O pedido foi cancelado.",
			OrderChange: "O que quer alterar?", OrderGone: "Este pedido já não está aberto.",
			OrderProblem: "Lamento, isto não se pode pedir assim:",
			ActionAsk:    "Devo fazer isto?", Yes: "Sim", No: "Não",
			ActionDone: "Está feito.", ActionFailed: "Lamento, não funcionou. Uma pessoa vai tratar disso.",
			ActionDropped: "Está bem, não faço.", ActionGone: "Isso já não está por confirmar.",
		}
	default:
		return &assistant.Words{
			OrderTitle: "Your order", OrderTotal: "Total", OrderAsk: "Would you like to place this order?",
			Confirm: "Confirm", Change: "Change", Cancel: "Cancel",
			OrderPlaced: "Thank you, we have your order.", OrderCancelled: "The order is cancelled.",
			OrderChange: "What would you like to change?", OrderGone: "This order is not open any more.",
			OrderProblem: "I'm sorry, this can't be ordered like this:",
			ActionAsk:    "Shall I do this?", Yes: "Yes", No: "No",
			ActionDone: "Done.", ActionFailed: "I'm sorry, that did not work. A person will look after it.",
			ActionDropped: "All right, I won't.", ActionGone: "This is not open any more.",
		}
	}
}
