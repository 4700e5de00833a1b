package catalog

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/standard"
	"github.com/blevesearch/bleve/v2/analysis/lang/de"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/blevesearch/bleve/v2/analysis/lang/es"
	"github.com/blevesearch/bleve/v2/analysis/lang/fr"
	"github.com/blevesearch/bleve/v2/analysis/lang/it"
	"github.com/blevesearch/bleve/v2/analysis/lang/pt"
)

// analyzerOf names the analyzer of a language, by the first subtag of its BCP 47 tag.
var analyzerOf = map[string]string{
	"de": de.AnalyzerName, "en": en.AnalyzerName, "es": es.AnalyzerName,
	"fr": fr.AnalyzerName, "it": it.AnalyzerName, "pt": pt.AnalyzerName,
}

// analyzerNames returns the analyzers of the languages in their order, without repetition, English if there are none.
// Languages without an analyzer of their own share the standard one.
func analyzerNames(languages []string) []string {
	var names []string
	for _, tag := range languages {
		base, _, _ := strings.Cut(strings.ToLower(tag), "-")
		name, ok := analyzerOf[base]
		if !ok {
			name = standard.Name
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		names = []string{en.AnalyzerName}
	}
	return names
}

// terms are the analyzed words of a question, each once, in their order.
func terms(a analysis.Analyzer, text string) []string {
	var out []string
	for _, token := range a.Analyze([]byte(text)) {
		if term := string(token.Term); !slices.Contains(out, term) {
			out = append(out, term)
		}
	}
	return out
}

// addTerms adds the analyzed words of a text to the sets.
func addTerms(a analysis.Analyzer, text string, sets ...map[string]bool) {
	for _, token := range a.Analyze([]byte(text)) {
		for _, set := range sets {
			set[string(token.Term)] = true
		}
	}
}

// coverage returns which share of the query's terms the text holds, a near miss counting for less than a hit, so that
// a caller can tell an answer from the best of nothing: a search engine's score has no such meaning.
func coverage(query []string, text map[string]bool) float64 {
	if len(query) == 0 {
		return 0
	}
	var sum float64
	for _, q := range query {
		sum += termMatch(q, text)
	}
	return sum / float64(len(query))
}

// nearMiss is what a term with a typo counts.
const nearMiss = 0.8

func termMatch(q string, text map[string]bool) float64 {
	if text[q] {
		return 1
	}
	allowed := typosAllowed(q)
	if allowed == 0 {
		return 0
	}
	query := []rune(q)
	first := string(query[0])
	for t := range text {
		// A typo in the first letter is rare and words that differ there are mostly other words. This and the length in
		// bytes rule out nearly all terms before anything is computed.
		if d := len(t) - len(q); d > allowed*utf8.UTFMax || d < -allowed*utf8.UTFMax || !strings.HasPrefix(t, first) {
			continue
		}
		if withinEdits(query, []rune(t), allowed) {
			return nearMiss
		}
	}
	return 0
}

// typosAllowed grows with the term: three letters hold too many words one edit apart.
func typosAllowed(term string) int {
	switch n := len([]rune(term)); {
	case n < 4:
		return 0
	case n < 8:
		return 1
	default:
		return 2
	}
}

// withinEdits reports whether b is at most limit insertions, deletions, substitutions or swaps of neighbours away from
// a (optimal string alignment distance).
func withinEdits(a, b []rune, limit int) bool {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return false
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		best := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			best = min(best, row[j])
		}
		if best > limit {
			return false
		}
		before, last, row = last, row, before
	}
	return last[len(b)] <= limit
}

// courtesy are words around a question. They carry none of its meaning, so every search leaves them out.
var courtesy = wordSet(
	"hi hello hey thanks thank please tell know want need would like could can long take takes question information info", // en
	"hallo danke bitte möchte will wissen sagen kann können frage lange dauert information",                               // de
	"hola gracias favor quiero quisiera saber decir puede puedo pregunta tarda información",                               // es
	"bonjour salut merci voudrais savoir dire peut puis question plaît plait temps information",                           // fr
	"ciao buongiorno grazie favore vorrei sapere dire può posso domanda informazioni",                                     // it
	"olá oi obrigado obrigada favor gostaria quero saber dizer pode posso pergunta informação",                            // pt
)

// shopTalk are words of questions about any product. They name none, so a product search leaves them out. In a question
// about the shop they carry meaning, so a knowledge search keeps them.
var shopTalk = wordSet(
	// en
	"a an the i i'd i'm we you your have has got do does is are there any some want wants need needs like would could can",
	"please looking look for find show me see buy buying order get sell selling price prices cost costs much how many",
	"available availability in stock what which about tell more hi hello hey thanks thank this that it one something",
	// de
	"ich wir sie ihr euch haben habt hat gibt gibts es möchte will brauche suche bitte kaufen bestellen zeig zeigen mir preis",
	"kostet kosten viel wie was verfügbar auf lager einen eine ein einer der die das hallo danke welche verkauft verkaufen",
	// es
	"yo quiero quisiera necesito busco buscar tiene tienen tienes hay comprar pedir muéstrame mostrar precio cuesta cuestan",
	"cuánto cuanto cuál qué que disponible un una unos unas el la los las de por favor hola gracias venden",
	// fr
	"je nous vous avez voudrais veux cherche besoin acheter commander montrez montrer moi prix coûte coute combien est-ce",
	"disponible un une des le la les du s'il plaît plait bonjour salut merci vendez quel quelle",
	// it
	"io vorrei voglio cerco avete hai serve comprare ordinare mostra mostrami prezzo costa costano quanto quale disponibile",
	"un uno una il lo la i gli le di per favore ciao grazie vendete",
	// pt
	"eu quero queria gostaria preciso procuro tem têm vocês comprar pedir encomendar mostre mostrar preço custa custam quanto",
	"qual disponível um uma uns umas o a os as de por favor olá oi obrigado obrigada vendem",
)

func wordSet(lines ...string) map[string]bool {
	set := map[string]bool{}
	for _, line := range lines {
		for word := range strings.FieldsSeq(line) {
			set[word] = true
		}
	}
	return set
}

// without removes the words of the sets from a query.
func without(query string, sets ...map[string]bool) string {
	var kept []string
	for word := range strings.FieldsSeq(query) {
		plain := strings.ToLower(strings.Trim(word, "¿¡.,;:!?\"'()…"))
		if !slices.ContainsFunc(sets, func(set map[string]bool) bool { return set[plain] }) {
			kept = append(kept, word)
		}
	}
	return strings.Join(kept, " ")
}
