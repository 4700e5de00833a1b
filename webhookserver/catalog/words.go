package catalog

import (
	"slices"
	"strings"
)

const punctuation = "¿¡.,;:!?\"'()…"

// courtesy are words around a question. They carry none of its meaning, so every search leaves them out.
var courtesy = wordSet(
	"hi hello hey thanks thank please tell know want need would like could can long take takes question information info", // en
	"hallo danke bitte möchte will wissen sagen kann können frage lange dauert information",                               // de
	"hola gracias favor quiero quisiera saber decir puede puedo pregunta tarda información",                               // es
	"bonjour salut merci voudrais savoir dire peut puis question plaît plait temps information",                           // fr
	"ciao buongiorno grazie favore vorrei sapere dire può posso domanda informazioni",                                     // it
	"olá oi obrigado obrigada favor gostaria quero saber dizer pode posso pergunta informação",                            // pt
)

// talk are the words of questions about any product, by language.
var talk = map[string]map[string]bool{
	"en": wordSet("a an the i i'd i'm we you your have has got do does is are there any some want wants need needs like would could can",
		"please looking look for find show me see buy buying order get sell selling price prices cost costs much how many",
		"available availability in stock what which about tell more hi hello hey thanks thank this that it one something",
		"sells offer offers carry give my our made item items product products article good best new nice cheap suitable use used work works",
		"policy policies terms conditions options details"),
	"de": wordSet("ich wir sie ihr euch haben habt hat gibt gibts es möchte will brauche suche bitte kaufen bestellen zeig zeigen mir preis",
		"kostet kosten viel wie was verfügbar auf lager einen eine ein einer der die das hallo danke welche verkauft verkaufen",
		"hätte hätten bieten führt suchen brauchen mein meine meinen fürs bei beim noch auch etwas artikel produkt produkte gut gute guten günstig günstige neu neue geeignet bedingungen regeln möglichkeiten"),
	"es": wordSet("yo quiero quisiera necesito busco buscar tiene tienen tienes hay comprar pedir muéstrame mostrar precio cuesta cuestan",
		"cuánto cuanto cuál qué que disponible un una unos unas el la los las de por favor hola gracias venden",
		"vendéis vende ofrecen necesitamos buscamos mi mis algo artículo artículos producto productos bueno buena barato barata nuevo nueva sirve sirven política condiciones opciones"),
	"fr": wordSet("je nous vous avez voudrais veux cherche besoin acheter commander montrez montrer moi prix coûte coute combien est-ce",
		"disponible un une des le la les du s'il plaît plait bonjour salut merci vendez quel quelle"),
	"it": wordSet("io vorrei voglio cerco avete hai serve comprare ordinare mostra mostrami prezzo costa costano quanto quale disponibile",
		"un uno una il lo la i gli le di per favore ciao grazie vendete"),
	"pt": wordSet("eu quero queria gostaria preciso procuro tem têm vocês comprar pedir encomendar mostre mostrar preço custa custam quanto",
		"qual disponível um uma uns umas o a os as de por favor olá oi obrigado obrigada vendem"),
}

// shopTalk are the words of questions about any product, in all languages. They name none, so a product search leaves
// them out. In a question about the shop they carry meaning, so a knowledge search keeps them.
var shopTalk = union(talk)

// small are the commonest small words of a language, by which a text in it is known.
var small = map[string]map[string]bool{
	"en": wordSet("the and of to with for you we is are from your our it this that be by at not within what how when where which who can do does"),
	"de": wordSet("der die das und mit für von zu zum zur ein eine einen ist sind wir sie im am auf bei nicht nur den dem des wie was wann wo kann ich ihr euch es man"),
	"es": wordSet("el la los las y con para por en un una es son su sus del al se que qué cómo cuándo dónde cuánto puedo hay le lo más desde"),
	"fr": wordSet("le la les des et avec pour dans un une est sont vous nous du au aux que qui comment quand où combien je ce cette pas"),
	"it": wordSet("il lo la gli le di e con per un una è sono nel della del che come quando dove quanto posso non si alla dei"),
	"pt": wordSet("o a os as de e com para por em um uma é são no na do da que como quando onde quanto posso não se ao dos"),
}

// beside are words after which a text says what a thing is for or comes with, rather than what it is.
var beside = wordSet("with for on in into that which whose works work from holds hold keeps fits charges", "mit für fürs zum zur im am auf aus deren", "con para que cuyas sobre en",
	"avec pour dans qui", "con per che nel", "com para que no na")

// heads leaves of a text what says what the thing is: each clause up to a word of beside.
func heads(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	in := true
	for word := range strings.FieldsSeq(text) {
		if in && beside[strings.ToLower(strings.Trim(word, punctuation))] && b.Len() > 0 {
			in = false
		}
		if in {
			b.WriteString(word)
			b.WriteByte(' ')
		}
		if strings.ContainsAny(word[len(word)-1:], ".,;:!?") {
			in = true
		}
	}
	return b.String()
}

// languageOf guesses which of the languages a text is in, by its small words; "" when nothing tells or two are alike.
func languageOf(text string, languages []string) string {
	best, most, tie := "", 0, false
	for _, language := range bases(languages) {
		n := 0
		for word := range strings.FieldsSeq(strings.ToLower(text)) {
			word = strings.Trim(word, punctuation)
			if small[language][word] || talk[language][word] {
				n++
			}
		}
		switch {
		case n > most:
			best, most, tie = language, n, false
		case n == most:
			tie = true
		}
	}
	if tie {
		return ""
	}
	return best
}

func wordSet(lines ...string) map[string]bool {
	set := map[string]bool{}
	for _, line := range lines {
		for word := range strings.FieldsSeq(line) {
			set[word] = true
		}
	}
	return set
}

func union(sets map[string]map[string]bool) map[string]bool {
	all := map[string]bool{}
	for _, set := range sets {
		for word := range set {
			all[word] = true
		}
	}
	return all
}

// without removes the words of the sets from a query.
func without(query string, sets ...map[string]bool) string {
	var kept []string
	for word := range strings.FieldsSeq(query) {
		plain := strings.ToLower(strings.Trim(word, punctuation))
		if plain != "" && !slices.ContainsFunc(sets, func(set map[string]bool) bool { return set[plain] }) {
			kept = append(kept, word)
		}
	}
	return strings.Join(kept, " ")
}
