package catalog

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// needs are what customers want done who do not say with what: words of which, of each group, one is said, and what does it. They are
// everyday needs in the languages that the retrieval assistant speaks best, and everyday goods: what a shop does not sell does not
// answer. A word that ends in * stands for all that begin so, and
// one between two for all that have it inside.
var needs = []string{
	// What to wear.
	"hand hands hände händen manos finger fingers fingern dedos | cold freez* froz* kalt* frier* frío fría fríos frías congel* helad* = gloves",
	"feet foot toes füße füßen zehen pies | cold freez* warm* kalt* frier* frío fríos frías calient* calentit* = socks, slippers",
	"feet foot füße füßen pies | wet dry puddle* nass* trocken* pfütz* mojad* mojar* seco* charco* = rubber boots",
	"puddle* pfütze* charco* = rubber boots",
	"head ears kopf ohren cabeza orejas | cold freez* warm* kalt* frier* frío abrig* = beanie",
	"neck throat hals cuello garganta | cold freez* warm* kalt* frier* frío abrig* = scarf",
	"raining rains rained soaked drenched regnet durchnässt* llueve lloviendo empap* mojarme mojarse mojarnos = rain jacket, umbrella",
	"rain wet regen nass lluvia | protect* dry against shelter schütz* gegen trocken* contra proteg* seco seca cubr* = rain jacket, umbrella",
	"trousers pants jeans hose hosen pantalón pantalones | slid* slip* falls fall falling rutsch* fällt fallen caen cae sujet* = belt",
	"chilly freezing cold cool kalt* kühl* frío fría fríos frías fresc* | evening* night* abend* noche noches | wear top jumper anziehen oberteil ponerme abrig* cosy cozy = sweater, jacket",
	"summer sommer verano | party garden wedding fest feier hochzeit fiesta boda | wear wife her women* woman anziehen frau damen ponerme mujer dress = dress",
	"home house indoors daheim zuhause haus casa | feet shoes walk* füße schuhe pies zapatos andar = slippers",
	"mountain* hike hiking trail berg* wander* montaña monte senderismo | feet shoes footwear füße schuhe pies calzado zapatos = hiking boots",
	"jog* run* lauf* joggen correr trotar | shoes footwear schuhe calzado = running shoes",
	// At the table and the stove.
	"cold kalt frío fría | tea coffee drink soup tee kaffee suppe té café sopa | office work reach road way trip carry travel büro arbeit unterwegs weg mitnehm* oficina trabajo camino viaje llevar = thermos",
	"keep* stay* stays remain* bleib* halten hält mantener mantien* manteng* aguant* | tea coffee drink* water beverage* soup tee kaffee wasser getränk* té café agua bebida* | hot warm cold icy ice heiß* warm* kalt* eis* calient* frí* helad* = thermos, teapot",
	"boil* heat hot kochen erhitz* heiß* hervir calentar caliente | water wasser agua = kettle",
	"cook* heat boil fry kochen koch* brat* warm cocinar calentar hervir | camp* outdoor* outside tent hik* wilderness zelt* draußen unterwegs wandern acamp* campamento carpa monte aire = camping stove",
	"slic* cut cutting schneid* cortar corto rebanar | bread loaf crust* toast brot brötchen laib pan hogaza = bread knife",
	"chop* cut cutting slic* *schneid* hack* cortar picar | vegetable* onion* herb* meat carrot* gemüse* zwiebel* kräuter fleisch karotten verdura* cebolla* hierba* carne = kitchen knife, cutting board",
	"foam* froth* schaum* schäum* espum* | milk cappuccino latte milch capuchino leche = milk frother",
	"cappuccino latte capuchino milchschaum | home make made foam froth machen hause hacer casa espuma = milk frother",
	"grind* mahl* moler muel* | coffee bean beans kaffee bohnen café grano granos = coffee grinder",
	"brew* kochen zubereit* prepar* | coffee espresso kaffee café = coffee maker, french press, moka pot",
	"weigh* wieg* abwieg* pesar | flour ingredient* food letter* mehl zutaten harina ingrediente* comida = scale",
	"puree pürier* mash mix* blend* cream* cremig* cremos* tritur* batir licuar | soup* smoothie* baby* suppe* sopa* batido* puré = blender",
	"stick* anbrenn* anback* kleb* pega pegue pegan | egg* pan pancake* fry* ei eier pfanne pfannkuchen huevo* sartén tortita* = non-stick pan",
	"crepe* crêpe* pancake* omelet* pfannkuchen spiegelei* rührei* omelett* tortita* tortilla* panqueque* = non-stick pan, frying pan",
	"steak* sear* anbrat* filete* = cast iron pan, frying pan",
	"pasta noodle* spaghetti rice potato* sauce nudel* reis kartoffel* soße fideos arroz papas patatas salsa | cook* boil* koch* cocinar hervir hacer olla pot topf = pot, saucepan",
	"sweet* süß* endulz* dulce | tea bread toast breakfast spread natural* tee brot frühstück aufstrich té pan desayuno untar natural* = honey, jam, sugar",
	"calm* relax* sleep asleep beruhig* entspann* einschlaf* schlaf* schlafen relaj* tranquil* dormir | tea drink infusion herbal tee trink* getränk té infusión bebida tomar = herbal tea",
	"caffeine koffein cafeína | without free no less ohne frei weniger kein* sin libre menos = decaf",
	"dress* marin* anmach* aliñ* | salad salat ensalada = olive oil",
	// On the way.
	"dark darkness night nights dunkel* nacht nachts noche oscur* | see read walk* way path trail tent camp* hands hike* sehen lesen weg pfad zelt* hände wander* lauf* ver leer camino monte sendero carpa manos caminar = headlamp, torch",
	"alumbr* ilumin* leucht* light | way path trail tent head weg pfad zelt* kopf camino monte sendero carpa cabeza noche = headlamp, torch",
	"hands hände manos | free frei libres | read* see light les* sehen licht leer ver luz = headlamp",
	"sleep* lie lying night schlaf* *lieg* übernacht* dormir acostar* tumbar* | tent camp* outdoors outside ground zelt* camping draußen boden carpa acamp* suelo aire = sleeping mat, sleeping bag",
	"ground floor boden suelo | hard uncomfortable hart unbequem duro incómodo | sleep* tent camp* back schlaf* zelt* rücken dormir carpa acamp* espalda = sleeping mat",
	"carry* pack take haul trag* pack* mitnehm* transport* llevar cargar | gear equipment tent clothes trek* hik* days luggage ausrüstung zelt kleidung wander* tage equipo carpa ropa senderismo caminata días excursión* = backpack",
	"carry* take trag* mitnehm* transport* llevar cargar | laptop notebook book* school uni* work office tablet bücher schule arbeit büro portátil computadora libro* escuela colegio trabajo oficina = backpack, bag",
	"bag tasche bolso bolsa | laptop notebook macbook school uni* work office books schule arbeit büro portátil computadora escuela colegio trabajo oficina = laptop backpack, backpack",
	"phone mobile cell smartphone handy telefon móvil celular teléfono tablet | dies dead empty flat battery leer akku batería descarg* muere apag* sin* = power bank",
	"charg* recharg* lad* auflad* cargar recargar | phone mobile cell smartphone handy telefon móvil celular teléfono tablet | socket outlet plug road way travel* train camp* steckdose strom unterwegs reise* zug enchufe corriente viaje* tren = power bank",
	"mount* fix* attach* fasten put hold* befestig* halt* mont* pongo poner sujet* fijar coloc* llev* | phone mobile cell smartphone gps handy telefon móvil celular teléfono | bike bicycle cycl* handlebar* fahrrad rad lenker bici bicicleta manubrio manillar moto = phone holder",
	"seen visible see sehen gesehen sichtbar ver vean visible | bike bicycle cycl* fahrrad rad bici bicicleta = bicycle light",
	// At home.
	"dark dunkel* oscur* | corner room living bedroom reading sofa couch ecke zimmer wohnzimmer schlafzimmer rincón esquina habitación salón sala = floor lamp, lamp",
	"light licht luz | corner living bedroom reading sofa ecke wohnzimmer schlafzimmer leseecke rincón salón dormitorio = floor lamp, lamp",
	"tick* tickt tictac = silent clock",
	"time uhrzeit zeit hora | wall bedroom kitchen wand schlafzimmer küche pared dormitorio cocina | show* tell* see zeig* anzeig* seh* muestr* ver marc* = clock",
	"measur* track* count* monitor* mess* misst zähl* medir mida mide cont* | pulse heart steps sleep puls herz* schritte schlaf pulso corazón pasos sueño = fitness watch",
	"dry drying abtrockn* trocken* secar* sec* | shower bath swim* hair dusch* bad bade* schwimm* haare ducha baño piscina pelo = towel",
	"smell* scent* duft* riech* huel* arom* perfum* | room home house bathroom nice good raum zimmer zuhause wohnung bad gut schön cuarto casa baño bien rico habitación = scented candle",
	"cover bezug funda | duvet quilt bed bettdecke bett edredón cama nórdico = bed linen",
	"sit sitting sitz* sentar* | living guests friends wohnzimmer gäste salón sala invitados | = sofa, armchair",
	"neck nacken cuello cervical* | sleep* bed night schlaf* bett dormir cama = pillow",
	// To listen to.
	"music songs musik lieder música | beach pool party garden picnic shower strand garten feier dusche playa piscina fiesta jardín ducha picnic = speaker",
	"music songs listen musik hör* música escuchar oír | gym run* sport* train* sweat* jog* workout lauf* schwitz* correr deporte gimnasio sud* transpir* = earbuds, headphones",
	"earphones headphones earbuds kopfhörer ohrhörer audífonos auriculares cascos | gym run* sport* sweat* workout lauf* schwitz* correr deporte gimnasio sud* transpir* = sport earbuds, earbuds",
	"noise noisy loud quiet silence lärm laut ruhe ruido ruidos* silencio | work office concentrat* plane train listen music arbeit büro großraumbüro konzentr* flugzeug zug musik trabajo oficina concentr* avión tren música = noise cancelling headphones",
}

// need is one of needs.
type need struct {
	groups [][]string
	goods  []string
}

var readNeeds = func() []need {
	all := make([]need, 0, len(needs))
	for _, line := range needs {
		said, goods, _ := strings.Cut(line, "=")
		var n need
		for group := range strings.SplitSeq(said, "|") {
			var words []string
			for word := range strings.FieldsSeq(group) {
				words = append(words, folded(word))
			}
			if len(words) > 0 {
				n.groups = append(n.groups, words)
			}
		}
		for thing := range strings.SplitSeq(goods, ",") {
			n.goods = append(n.goods, strings.TrimSpace(thing))
		}
		all = append(all, n)
	}
	return all
}()

// said says whether of each group one word is.
func (n *need) said(words []string) bool {
	for _, group := range n.groups {
		if !slices.ContainsFunc(words, func(w string) bool { return slices.ContainsFunc(group, func(g string) bool { return stands(g, w) }) }) {
			return false
		}
	}
	return true
}

// stands says whether a word of a need stands for one that was said.
func stands(of, word string) bool {
	start, open := strings.CutSuffix(of, "*")
	switch part, inside := strings.CutPrefix(start, "*"); {
	case inside:
		return strings.Contains(word, part)
	case open:
		return strings.HasPrefix(word, start)
	default:
		return of == word
	}
}

const (
	// serves is how much of a thing and its traits must be there.
	serves = 0.4
	// maxGoods is more than serve one need.
	maxGoods = 8
)

// serving finds what serves a need that is said, best first. Its coverage is Enough: whatever is named comes before.
func (x *Index) serving(ctx context.Context, text string, n int, passes func(doc int) bool) ([]ranking, error) {
	r := reader{shelf: x.goods, language: x.language(text), tongues: x.goods.tongues, sells: x.sells}
	var words, traits []string
	for _, word := range r.tokens(text) {
		words = append(words, folded(word))
		if mannerOf(folded(word), r.language) == trait {
			traits = append(traits, word)
		}
	}
	var found []ranking
	for i := range readNeeds {
		if !readNeeds[i].said(words) {
			continue
		}
		for place, goods := range readNeeds[i].goods {
			q := (&reader{shelf: x.goods, tongues: x.goods.tongues, sells: x.sells}).read(goods + " " + strings.Join(traits, " "))
			ranked, err := x.goods.search(ctx, q, n, passes)
			if err != nil {
				return nil, err
			}
			for _, f := range ranked {
				if f.coverage >= serves && !slices.ContainsFunc(found, func(o ranking) bool { return o.doc == f.doc }) {
					// Who says more is served better, and what serves best comes first.
					f.rank += float64(len(readNeeds[i].groups)*maxGoods - place)
					f.coverage = Enough
					found = append(found, f)
				}
			}
		}
	}
	slices.SortStableFunc(found, func(a, b ranking) int { return cmp.Compare(b.rank, a.rank) })
	return found[:min(n, len(found))], nil
}
