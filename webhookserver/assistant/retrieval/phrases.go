package retrieval

import "github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"

// phrases are the assistant's own words in one language. Titles of buttons have at most 20 characters.
type phrases struct {
	language     string // set by New
	hello        string
	sorry        string // there is no answer
	ask          string // what can be done for the customer
	noProducts   string // the catalog is empty
	choose       string // above a list of products
	listButton   string // opens the list
	changed      string // what was tapped is not there any more, and something like it follows
	also         string // above a list of what else may answer
	more         string // opens that list
	products     string // button
	person       string // button
	handedOff    string // a person takes over
	availability map[string]string

	// What the assistant can do, by what the channel has: catalog and knowledge, one of them, or neither.
	everything, productsOnly, questionsOnly, personOnly string

	// greetings, thanks are whole messages; personWords are whole messages, personPhrases parts of messages that ask for
	// a person; productWords are whole messages that ask for the products.
	greetings, personWords, personPhrases, productWords []string
	// orderWords are whole messages of somebody who wants to order, orderPhrases parts of messages.
	orderWords, orderPhrases []string
	// words are what the server says beyond answers.
	words *assistant.Words
	// markers are frequent words by which the language is told from the others.
	markers []string
}

// defaultLanguage has phrases; it speaks for languages that have none.
const defaultLanguage = "en"

// spoken are the languages that the assistant has phrases in.
func spoken() map[string]*phrases {
	return map[string]*phrases{
		"en": {
			hello:         "Hello!",
			sorry:         "I'm sorry, I have no answer to that.",
			everything:    "I can show you our products, answer questions about the shop, or connect you with a person.",
			productsOnly:  "I can show you our products or connect you with a person.",
			questionsOnly: "I can answer questions about the shop or connect you with a person.",
			personOnly:    "I can connect you with a person.",
			ask:           "What can I do for you?",
			noProducts:    "I have no products to show at the moment.",
			choose:        "This is what I found. Choose one to see more.",
			changed:       "That has changed. This is what I have now.",
			also:          "This may help you, too.", more: "See more",
			listButton: "View products", products: "View products", person: "Talk to a person",
			handedOff:     "I am handing you over to a person, who will answer you here.",
			availability:  map[string]string{"in stock": "in stock", "out of stock": "out of stock", "available for order": "available for order", "preorder": "preorder", "discontinued": "discontinued"},
			greetings:     []string{"hi", "hello", "hey", "hi there", "hello there", "good morning", "good afternoon", "good evening", "good day", "start"},
			personWords:   []string{"human", "person", "agent", "operator", "representative", "support", "help me"},
			personPhrases: []string{"talk to a person", "talk to a human", "talk to human", "talk to someone", "speak to a person", "speak to a human", "speak to someone", "speak with someone", "talk with someone", "real person", "human agent", "live agent", "customer service"},
			productWords:  []string{"menu", "view menu", "products", "view products", "catalog", "catalogue", "show me your products", "what do you sell", "what do you have"},
			markers:       []string{"the", "is", "are", "you", "your", "do", "does", "what", "how", "have", "hello", "hi", "please", "and", "can", "when", "i"},
		},
		"de": {
			hello:         "Hallo!",
			sorry:         "Darauf habe ich leider keine Antwort.",
			everything:    "Ich kann Ihnen unsere Produkte zeigen, Fragen zum Geschäft beantworten oder Sie mit einem Menschen verbinden.",
			productsOnly:  "Ich kann Ihnen unsere Produkte zeigen oder Sie mit einem Menschen verbinden.",
			questionsOnly: "Ich kann Fragen zum Geschäft beantworten oder Sie mit einem Menschen verbinden.",
			personOnly:    "Ich kann Sie mit einem Menschen verbinden.",
			ask:           "Was kann ich für Sie tun?",
			noProducts:    "Im Moment kann ich keine Produkte zeigen.",
			choose:        "Das habe ich gefunden. Wählen Sie eines aus, um mehr zu sehen.",
			changed:       "Das hat sich geändert. Das habe ich jetzt dazu.",
			also:          "Vielleicht hilft Ihnen auch das.", more: "Mehr ansehen",
			listButton: "Produkte ansehen", products: "Produkte ansehen", person: "Mit Mensch sprechen",
			handedOff:     "Ich übergebe an einen Menschen, der Ihnen hier antworten wird.",
			availability:  map[string]string{"in stock": "auf Lager", "out of stock": "nicht vorrätig", "available for order": "bestellbar", "preorder": "vorbestellbar", "discontinued": "nicht mehr erhältlich"},
			greetings:     []string{"hallo", "guten tag", "guten morgen", "guten abend", "moin", "servus", "grüß gott", "hallo zusammen"},
			personWords:   []string{"mensch", "mitarbeiter", "person", "berater", "kundendienst"},
			personPhrases: []string{"mit einem menschen sprechen", "mit mensch sprechen", "mit jemandem sprechen", "mit einem mitarbeiter", "echten menschen", "mit einer person"},
			productWords:  []string{"menü", "produkte", "katalog", "sortiment", "produkte ansehen", "was verkaufen sie", "was habt ihr"},
			markers:       []string{"der", "die", "das", "ist", "sind", "sie", "ich", "haben", "habt", "wie", "was", "wann", "und", "ein", "eine", "nicht", "hallo", "bitte", "ihr"},
		},
		"es": {
			hello:         "¡Hola!",
			sorry:         "Lo siento, no tengo respuesta a eso.",
			everything:    "Puedo mostrarle nuestros productos, responder preguntas sobre la tienda o ponerle en contacto con una persona.",
			productsOnly:  "Puedo mostrarle nuestros productos o ponerle en contacto con una persona.",
			questionsOnly: "Puedo responder preguntas sobre la tienda o ponerle en contacto con una persona.",
			personOnly:    "Puedo ponerle en contacto con una persona.",
			ask:           "¿En qué puedo ayudarle?",
			noProducts:    "Ahora mismo no tengo productos que mostrar.",
			choose:        "Esto es lo que encontré. Elija uno para ver más.",
			changed:       "Eso ha cambiado. Esto es lo que tengo ahora.",
			also:          "Esto también puede servirle.", more: "Ver más",
			listButton: "Ver productos", products: "Ver productos", person: "Hablar con alguien",
			handedOff:     "Le paso con una persona, que le responderá aquí.",
			availability:  map[string]string{"in stock": "disponible", "out of stock": "agotado", "available for order": "disponible por encargo", "preorder": "en preventa", "discontinued": "descatalogado"},
			greetings:     []string{"hola", "buenos días", "buenos dias", "buenas tardes", "buenas noches", "buenas", "qué tal", "que tal"},
			personWords:   []string{"humano", "persona", "agente", "asesor", "operador"},
			personPhrases: []string{"hablar con una persona", "hablar con alguien", "hablar con un humano", "hablar con un agente", "persona real", "atención al cliente"},
			productWords:  []string{"menú", "productos", "catálogo", "catalogo", "ver productos", "ver menú", "qué venden", "que venden"},
			markers:       []string{"el", "los", "las", "es", "son", "está", "tienen", "tiene", "qué", "que", "cómo", "cuándo", "y", "una", "hola", "por", "favor", "con", "quiero"},
		},
		"fr": {
			hello:         "Bonjour !",
			sorry:         "Désolé, je n'ai pas de réponse à cela.",
			everything:    "Je peux vous montrer nos produits, répondre à vos questions sur la boutique ou vous mettre en relation avec une personne.",
			productsOnly:  "Je peux vous montrer nos produits ou vous mettre en relation avec une personne.",
			questionsOnly: "Je peux répondre à vos questions sur la boutique ou vous mettre en relation avec une personne.",
			personOnly:    "Je peux vous mettre en relation avec une personne.",
			ask:           "Que puis-je faire pour vous ?",
			noProducts:    "Je n'ai pas de produits à montrer pour le moment.",
			choose:        "Voici ce que j'ai trouvé. Choisissez-en un pour en voir plus.",
			changed:       "Cela a changé. Voici ce que j'ai maintenant.",
			also:          "Ceci peut aussi vous aider.", more: "Voir plus",
			listButton: "Voir les produits", products: "Voir les produits", person: "Parler à quelqu'un",
			handedOff:     "Je vous passe une personne, qui vous répondra ici.",
			availability:  map[string]string{"in stock": "en stock", "out of stock": "épuisé", "available for order": "sur commande", "preorder": "en précommande", "discontinued": "n'est plus disponible"},
			greetings:     []string{"bonjour", "salut", "bonsoir", "coucou", "bonjour à tous"},
			personWords:   []string{"humain", "personne", "conseiller", "agent", "opérateur"},
			personPhrases: []string{"parler à quelqu'un", "parler à une personne", "parler à un humain", "parler avec quelqu'un", "parler à un conseiller", "vraie personne", "service client"},
			productWords:  []string{"produits", "catalogue", "voir les produits", "la carte", "que vendez-vous"},
			markers:       []string{"le", "les", "des", "est", "sont", "vous", "je", "avez", "comment", "quand", "quel", "quelle", "et", "une", "bonjour", "pour", "nous", "à"},
		},
		"it": {
			hello:         "Ciao!",
			sorry:         "Mi dispiace, non ho una risposta.",
			everything:    "Posso mostrarle i nostri prodotti, rispondere a domande sul negozio o metterla in contatto con una persona.",
			productsOnly:  "Posso mostrarle i nostri prodotti o metterla in contatto con una persona.",
			questionsOnly: "Posso rispondere a domande sul negozio o metterla in contatto con una persona.",
			personOnly:    "Posso metterla in contatto con una persona.",
			ask:           "Come posso aiutarla?",
			noProducts:    "Al momento non ho prodotti da mostrare.",
			choose:        "Ecco cosa ho trovato. Scelga un prodotto per saperne di più.",
			changed:       "È cambiato. Ecco che cosa ho adesso.",
			also:          "Anche questo può esserle utile.", more: "Vedi altro",
			listButton: "Vedi i prodotti", products: "Vedi i prodotti", person: "Parla con qualcuno",
			handedOff:     "La passo a una persona, che le risponderà qui.",
			availability:  map[string]string{"in stock": "disponibile", "out of stock": "esaurito", "available for order": "ordinabile", "preorder": "in prevendita", "discontinued": "fuori produzione"},
			greetings:     []string{"ciao", "buongiorno", "buon giorno", "buonasera", "buona sera", "salve"},
			personWords:   []string{"umano", "persona", "operatore", "assistente"},
			personPhrases: []string{"parlare con una persona", "parlare con qualcuno", "parla con qualcuno", "parlare con un operatore", "persona reale", "servizio clienti"},
			productWords:  []string{"menù", "prodotti", "catalogo", "vedi i prodotti", "cosa vendete"},
			markers:       []string{"il", "gli", "è", "sono", "avete", "che", "come", "quando", "quanto", "una", "ciao", "buongiorno", "per", "vorrei", "di", "della", "e"},
		},
		"pt": {
			hello:         "Olá!",
			sorry:         "Lamento, não tenho resposta para isso.",
			everything:    "Posso mostrar os nossos produtos, responder a perguntas sobre a loja ou passar a conversa a uma pessoa.",
			productsOnly:  "Posso mostrar os nossos produtos ou passar a conversa a uma pessoa.",
			questionsOnly: "Posso responder a perguntas sobre a loja ou passar a conversa a uma pessoa.",
			personOnly:    "Posso passar a conversa a uma pessoa.",
			ask:           "Como posso ajudar?",
			noProducts:    "De momento não tenho produtos para mostrar.",
			choose:        "Foi isto que encontrei. Escolha um para ver mais.",
			changed:       "Isso mudou. Isto é o que tenho agora.",
			also:          "Isto também pode ajudar.", more: "Ver mais",
			listButton: "Ver produtos", products: "Ver produtos", person: "Falar com alguém",
			handedOff:     "Vou passar a conversa a uma pessoa, que lhe responderá aqui.",
			availability:  map[string]string{"in stock": "em estoque", "out of stock": "esgotado", "available for order": "sob encomenda", "preorder": "em pré-venda", "discontinued": "fora de linha"},
			greetings:     []string{"olá", "ola", "oi", "bom dia", "boa tarde", "boa noite"},
			personWords:   []string{"humano", "pessoa", "atendente", "agente"},
			personPhrases: []string{"falar com uma pessoa", "falar com alguém", "falar com alguem", "falar com um atendente", "falar com um humano", "pessoa real"},
			productWords:  []string{"produtos", "catálogo", "cardápio", "ver produtos", "o que vendem"},
			markers:       []string{"os", "é", "são", "você", "vocês", "tem", "têm", "como", "quando", "quanto", "uma", "olá", "oi", "não", "para", "quero", "e", "do", "da"},
		},
	}
}
