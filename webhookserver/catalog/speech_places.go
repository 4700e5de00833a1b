package catalog

// places are countries and large towns, which say where a customer is and not what he wants: who asks whether a shop ships to Canada
// is answered by its page on shipping, although that names no Canada. Names that are things, too, are left out, such as a turkey and a cork.
var places = foldedSet(
	"africa albania algeria argentina asia australia austria bahrain belarus belgium bolivia bosnia brazil britain bulgaria canada chile colombia croatia cyprus "+
		"czechia czech denmark ecuador egypt england estonia europe finland france germany gibraltar greece greenland hungary iceland india indonesia "+
		"ireland israel italy japan kenya korea kosovo kuwait latvia lebanon liechtenstein lithuania luxembourg macedonia malaysia mexico moldova "+
		"monaco montenegro morocco netherlands nigeria norway pakistan paraguay peru philippines poland portugal qatar romania russia scotland serbia "+
		"singapore slovakia slovenia spain sweden switzerland taiwan thailand tunisia ukraine uruguay usa venezuela vietnam wales zealand dubai emirates",
	"afrika albanien algerien argentinien asien australien österreich belgien bosnien brasilien bulgarien kanada chile kolumbien kroatien zypern tschechien "+
		"dänemark ägypten england estland europa finnland frankreich deutschland griechenland grönland ungarn indien indonesien irland israel "+
		"italien japan kenia korea lettland libanon litauen luxemburg mazedonien malaysia mexiko moldau montenegro marokko niederlande holland nigeria "+
		"norwegen pakistan peru philippinen polen portugal rumänien russland schottland serbien singapur slowakei slowenien spanien schweden schweiz "+
		"südtirol tunesien ukraine vietnam neuseeland kanaren mallorca teneriffa",
	"alemania andorra argelia austria bélgica bolivia brasil bulgaria canadá canarias baleares ceuta melilla chequia chipre colombia corea croacia dinamarca "+
		"egipto eslovaquia eslovenia españa estonia finlandia francia grecia holanda hungría inglaterra irlanda islandia italia japón letonia lituania "+
		"luxemburgo marruecos méxico noruega polonia portugal rumanía rumania rusia escocia suecia suiza ucrania tenerife guatemala honduras nicaragua "+
		"salvador dominicana",
	"allemagne autriche belgique brésil bulgarie croatie danemark ecosse écosse espagne estonie finlande grèce hongrie irlande islande italie japon lettonie lituanie "+
		"luxembourg maroc mexique norvège pologne roumanie russie slovaquie slovénie suède suisse tchéquie tunisie ukraine québec",
	"germania austria belgio brasile bulgaria croazia danimarca egitto finlandia francia giappone grecia inghilterra irlanda islanda lettonia lituania lussemburgo "+
		"marocco messico norvegia olanda polonia portogallo romania scozia slovacchia slovenia spagna svezia svizzera sardegna sicilia ungheria",
	"alemanha áustria bélgica brasil bulgária croácia dinamarca egito escócia eslováquia eslovénia espanha finlândia frança grécia holanda hungria inglaterra irlanda "+
		"islândia itália japão marrocos noruega polónia polônia roménia romênia suécia suíça ucrânia açores angola moçambique",
	"amsterdam athens barcelona basel basilea belfast berlin berlín bern bilbao birmingham bogota bonn bordeaux bremen bristol brussels bruselas brüssel budapest "+
		"bukarest chicago copenhagen dortmund dresden dublin düsseldorf edinburgh florence florenz frankfurt geneva genf ginebra glasgow graz hamburg hamburgo "+
		"hannover helsinki innsbruck kopenhagen köln leeds leipzig lisbon lisboa lissabon liverpool london londres linz ljubljana lyon madrid málaga mailand "+
		"manchester marseille melbourne milan milano montreal moscow munich münchen múnich murcia nantes naples napoli neapel nürnberg oslo oxford paris parís "+
		"porto prag praga prague rom roma rome rotterdam salzburg santiago sevilla seville stockholm stuttgart sydney tokyo toronto toulouse turin vancouver "+
		"venedig venice vienna viena warsaw warschau wien york zaragoza zagreb zürich zurich",
)
