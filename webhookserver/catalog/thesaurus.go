package catalog

import (
	"slices"
	"strings"
	"sync"

	"github.com/blevesearch/bleve/v2/analysis"
)

// concepts are words that shops and their customers use for the same kind of thing, in all languages that the
// retrieval assistant speaks. They are everyday goods and shop matters only: a shop adds its own words to its feed, as
// product_tags or in a description.
var concepts = []string{
	// Clothing and shoes.
	"jumper sweater pullover pulli sweatshirt jersey suéter maglione chandail camisola",
	"trousers pants slacks hose pantalón pantalones pantalon pantaloni calças",
	"t-shirt tshirt tee shirt camiseta maglietta oberteil",
	"shirt hemd camisa chemise camicia",
	"jacket coat jacke mantel chaqueta abrigo veste manteau giacca cappotto casaco",
	"dress kleid vestido robe vestito",
	"skirt rock falda jupe gonna saia",
	"hat cap beanie mütze hut kappe gorro gorra sombrero bonnet chapeau cappello chapéu",
	"scarf schal bufanda écharpe sciarpa cachecol",
	"gloves mittens handschuhe guantes gants guanti luvas",
	"socks socken strümpfe calcetines chaussettes calzini meias",
	"belt gürtel cinturón ceinture cintura cinto",
	"sneakers trainers turnschuhe sneaker deportivas tenis baskets tênis",
	"running laufen lauf correr course corsa corrida",
	"shoes schuhe zapatos zapatillas chaussures scarpe sapatos calzado",
	"boots stiefel botas bottes stivali",
	"wellies boots gummistiefel",
	"slippers pantoffeln hausschuhe pantuflas pantoufles pantofole chinelos",
	"sandals sandalen sandalias sandales sandali sandálias",
	"underwear unterwäsche lingerie intimo",
	"pyjamas pajamas schlafanzug pijama pyjama pigiama",
	"women woman ladies damen frauen frau mujer mujeres señora femme femmes donna donne mulher",
	"men man gents herren männer mann hombre hombres caballero homme hommes uomo uomini homem",
	"kids kid children child kinder kind niños niño niña enfants enfant bambini bambino crianças",
	// Home.
	"sofa couch settee sofá divano canapé",
	"armchair sessel sillón fauteuil poltrona",
	"chair stuhl silla chaise sedia cadeira",
	"table tisch mesa tavolo",
	"bed bett cama lit letto",
	"duvet comforter bettdecke decke edredón couette piumone",
	"blanket throw wolldecke manta couverture coperta cobertor",
	"pillow cushion kissen kopfkissen almohada cojín oreiller coussin cuscino almofada",
	"mattress matratze colchón matelas materasso colchão colchoneta",
	"towel handtuch handtücher toalla serviette asciugamano toalha",
	"lamp light leuchte lampe licht lámpara luz lampada luce candeeiro lampenschirm",
	"torch flashlight taschenlampe linterna torcia lanterna",
	"headlamp stirnlampe kopflampe frontal frontale",
	"candle kerze vela bougie candela",
	"clock uhr reloj horloge orologio relógio",
	"watch armbanduhr uhr reloj montre orologio relógio",
	"mirror spiegel espejo miroir specchio espelho",
	"carpet rug teppich alfombra tapis tappeto tapete",
	"curtain vorhang cortina rideau tenda",
	// Kitchen and food.
	"pan skillet pfanne sartén poêle padella frigideira",
	"pot saucepan topf kochtopf olla cazo cacerola casserole pentola panela",
	"mug cup tasse becher taza tazza caneca copa",
	"plate teller plato assiette piatto prato",
	"glass glas vaso verre bicchiere copo",
	"knife messer cuchillo couteau coltello faca",
	"kettle wasserkocher hervidor bouilloire bollitore chaleira",
	"blender mixer pürierstab batidora mixeur frullatore",
	"scale scales waage báscula balance bilancia balança",
	"chopping cutting schneiden schneide cortar picar",
	"grinder mill mühle molinillo moulin macinino moinho",
	"cafetiere french-press",
	"coffee kaffee café caffè",
	"decaf decaffeinated entkoffeiniert koffeinfrei descafeinado décaféiné decaffeinato",
	"tea tee té thé tè chá",
	"chocolate schokolade chocolat cioccolato",
	"honey honig miel miele mel",
	"oil öl aceite huile olio óleo",
	"bottle flask flasche botella bouteille bottiglia garrafa",
	"thermos thermosflasche isolierflasche termo",
	// Outdoor, bags, bicycles.
	"backpack rucksack mochila zaino",
	"bag tasche bolsa bolso sac borsa",
	"suitcase luggage koffer maleta valise valigia mala",
	"tent zelt carpa tente",
	"stove cooker kocher hornillo réchaud fornello fogão",
	"bike bicycle cycle fahrrad rad bicicleta bici vélo",
	"hiking trekking walking wandern senderismo randonnée escursionismo caminhada",
	"rain regen lluvia pluie pioggia chuva",
	"waterproof wasserdicht impermeable imperméable impermeabile impermeável",
	// Electronics.
	"phone smartphone mobile cellphone handy telefon móvil teléfono celular téléphone portable telefono cellulare telemóvel",
	"laptop notebook portátil ordinateur computer",
	"headphones headset kopfhörer cascos auriculares casque cuffie",
	"earbuds earphones ohrhörer ohrstöpsel auriculares écouteurs auricolari",
	"speaker loudspeaker lautsprecher box altavoz parlante enceinte altoparlante coluna",
	"charger ladegerät cargador chargeur caricatore carregador",
	"battery akku batterie batería pila batteria bateria",
	"powerbank akku batería",
	"cable lead kabel câble cavo cabo",
	"holder mount halter halterung soporte support supporto suporte",
	"wireless kabellos schnurlos inalámbrico",
	"tv television fernseher televisor televisión téléviseur televisore",
	// Colours.
	"red rot rojo roja rouge rosso rossa vermelho",
	"blue navy blau marineblau azul marino bleu blu",
	"green grün verde vert",
	"black schwarz negro negra noir nero nera preto",
	"white weiß weiss blanco blanca blanc bianco branca branco",
	"yellow gelb amarillo amarilla jaune giallo amarelo",
	"grey gray grau gris grigio cinza",
	"brown braun marrón brun marrone marrom",
	// The shop.
	"return returns rückgabe zurückgeben retoure umtausch umtauschen devolver devolución devoluciones retour reso devolução",
	"exchange swap umtausch umtauschen tauschen cambio cambiar échange cambiare troca",
	"refund money-back erstattung rückerstattung reembolso remboursement rimborso",
	"shipping delivery ship deliver versand lieferung liefern zustellung envío envíos enviar entrega livraison expédition spedizione consegna",
	"pay payment paying bezahlen zahlen zahlung bezahlung pagar pago payer paiement pagare pagamento",
	"invoice rechnung factura facture fattura fatura",
	"instalments installments raten ratenzahlung plazos cuotas",
	"warranty guarantee garantie gewährleistung garantía garanzia garantia",
	"repair fix reparieren reparatur reparar reparación réparer riparare",
	"broken defective damaged kaputt defekt beschädigt roto rota defectuoso cassé rotto",
	"opening hours open geöffnet öffnungszeiten offen horario abierto abren abrir apertura ouvert orari aperto horário",
	"store shop laden geschäft tienda magasin negozio loja",
	"address located adresse standort dirección ubicación indirizzo endereço",
	"voucher gutschein vale cupón bon buono",
	"gift present geschenk regalo cadeau presente",
	"discount rabatt descuento remise sconto desconto",
	"pickup collect abholen abholung recoger recogida retirer ritiro",
	"parking park parken parkplatz parkplätze aparcamiento aparcar estacionamiento parcheggio",
	"size größe talla taille taglia tamanho",
	"wash clean waschen reinigen pflege lavar limpiar laver nettoyer lavare pulire",
	"track tracking sendungsverfolgung verfolgen seguimiento suivi",
}

// thesauri are the concepts in the words of an analyzer, made on first use.
var thesauri sync.Map // of map[string][]string by the analyzer's name

// synonyms returns the analyzed words that mean nearly the same as an analyzed word.
func synonyms(name string, a analysis.Analyzer, term string) []string {
	known, ok := thesauri.Load(name)
	if !ok {
		known, _ = thesauri.LoadOrStore(name, thesaurus(a))
	}
	byTerm, ok := known.(map[string][]string)
	if !ok {
		return nil
	}
	return byTerm[term]
}

func thesaurus(a analysis.Analyzer) map[string][]string {
	all := map[string][]string{}
	for _, concept := range concepts {
		var terms []string
		for word := range strings.FieldsSeq(concept) {
			// A word that is several to the analyzer has no one meaning.
			if tokens := a.Analyze([]byte(word)); len(tokens) == 1 && !slices.Contains(terms, string(tokens[0].Term)) {
				terms = append(terms, string(tokens[0].Term))
			}
		}
		for _, term := range terms {
			for _, other := range terms {
				if other != term && !slices.Contains(all[term], other) {
					all[term] = append(all[term], other)
				}
			}
		}
	}
	return all
}
