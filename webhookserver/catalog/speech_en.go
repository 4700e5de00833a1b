package catalog

var english = manners{
	filler: `become add online-shop internet wondering whether able bit kinda sth smth y'all ya gonna gotta lemme appreciate regarding concerning currently moment btw lol hmm oh well actually saw seems a an the i i'd i'm i've i'll im ive id me my mine myself we we'd we're us our ours you you're u ur your yours he she it it's its they them
		their this that that's these those there here is isn't are aren't was were be been am do does did don't dont done doing have haven't has had got
		get gets getting can can't cant could couldn't may might will won't would should shall must want wants wanted wanna need needs needed like
		would love please pls plz thanks thank thx cheers hi hello hey hiya dear good morning afternoon evening greetings sir madam guys guy folks
		team look looking looks search searching seek seeking find found show see tell know knows wonder wondering ask asking question questions
		info information help helping possible possibly maybe perhaps also too just really very quite so any some something anything
		someone anyone one ones kind kinds type types sort stuff thing things what what's whats which who whose when where where's why how
		how's if or and but of to in on at by from for with about into as than then not no yes yeah ok okay sell sells selling sold
		offer offers offering carry carries much many lot give gives recommend suggest suggestion hear think thought guess mean means called
		word english german spanish sorry urgent urgently let make made take takes took long policy policies terms conditions details both
		item items product products article articles interested more most again another any still already yet now only such been bought available`,
	trade: `price prices priced cost costs costing charge fee availability stock buy buying purchase order ordering orders ordered options
		option sale online shop store size sizes euro euros eur dollar dollars usd bucks pound pounds budget`,
	idle: `note reach ruin ruining brand bake baking sit sitting stand walk live lives living buyer back comes hurt hurts feel feels smell read eat sleep wake move moving stored protect protects protection prevent avoid allowed forget forgot lost send socket outlet evening evenings morning mornings noon everyday daily used whole entire single places spot floor wall keep keeps keeping hold holds holding put puts putting use uses used using go goes going come comes coming work works working
		fit fits fitting bring last lasts lasting stay stays happen happens start try trying turn let wear wearing run out off up down around
		under over above below less than between after before since until during while without within against through near inside outside
		else other another different same similar suitable enough own every each all few several half piece pieces pcs pair set
		husband wife son daughter boyfriend girlfriend mother mom mum father dad brother sister grandma grandpa grandmother grandfather
		friend friends family baby partner people person persons somebody everybody everyone colleague boss customer
		birthday christmas wedding today tomorrow yesterday week weeks weekend month months year years day days night nights hour hours
		minute minutes time times ago soon later early late monday tuesday wednesday thursday friday saturday sunday winter summer spring autumn
		home house flat apartment office garden road street way trip trips travel travelling traveling holiday holidays vacation city town country
		abroad place room rooms world school university uni gym sport sports
		germany france italy spain portugal austria switzerland poland netherlands belgium denmark sweden norway england ireland uk
		britain usa america europe eu berlin hamburg munich cologne frankfurt madrid barcelona valencia sevilla paris london vienna
		zurich rome milan lisbon amsterdam brussels prague
		cm mm meter meters metre metres kg kilo kilos gram grams g liter liters litre litres l ml inch inches number accept accepts accepted allow allowed include includes included contain contains
		said says say seen arrived happened wrong problem thing without there's`,
	trait: `red blue green yellow black white grey gray brown pink purple orange beige navy gold golden silver colour color coloured colored
		dark light bright big large huge small little tiny mini compact lightweight ultralight heavy short wide thin thick soft hard strong
		sturdy robust nice best better great perfect proper cheap cheaper cheapest affordable expensive new old quality simple easy fast quick
		quickly quiet silent loud warm cold hot cool cosy cozy dry wet fresh comfortable comfy beautiful pretty modern classic high low real
		men men's mens man women women's womens woman ladies lady kid kids kid's kids' child children boy boys girl girls unisex male female
		xs s m l xl xxl two three four five six first second double single`,
}
