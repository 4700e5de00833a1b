package catalog

import (
	"regexp"
	"strconv"
	"strings"
)

// limits are a number of money after words that make it the most that somebody wants to pay, in the languages of speeches.
var limits = regexp.MustCompile(`(?i)(?:^|\s)(?:under|below|less than|up to|max\.?|maximum|no more than|not more than|cheaper than|` +
	`unter|bis|bis zu|weniger als|höchstens|maximal|günstiger als|menos de|hasta|por debajo de|máximo|como mucho|` +
	`moins de|jusqu'à|meno di|sotto|fino a|até|abaixo de)\s+` +
	`(?:([€$£])\s*(\d{1,9}(?:[.,]\d{1,2})?)|(\d{1,9}(?:[.,]\d{1,2})?)\s*(?:€|\$|£|(?:euros?|eur|dollars?|usd|bucks|pounds?|gbp|dólares|dolares|pesos|reais|chf|francs?|franken)(?:\W|$)))`)

// budget takes the most that the customer wants to pay out of a question, in thousandths of the currency's main unit; zero if
// there is no such limit. The currency is taken to be the shop's.
func budget(question string) (most int64, rest string) {
	at := limits.FindStringSubmatchIndex(question)
	if at == nil {
		return 0, question
	}
	found := limits.FindStringSubmatch(question)
	amount, err := strconv.ParseFloat(strings.Replace(found[2]+found[3], ",", ".", 1), 64)
	if err != nil {
		return 0, question
	}
	return int64(amount * 1000), question[:at[0]] + " " + question[at[1]:]
}
