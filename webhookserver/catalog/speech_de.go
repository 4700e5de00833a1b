package catalog

var german = manners{
	filler: `grad gerade halt eh hättet hätt wüsste ginge geht solch solches irgendwie zurzeit aktuell momentan vlt evtl bzgl wegen lg mfg weil dort hier eins jemand zufällig überhaupt wär hab ihrs nix sowas bräuchten gefällt bekomme bekommen bekommt kriege kriegen kriegt lieber ich du er sie es wir ihr mich mir dich dir uns euch ihnen ihm ihn mein meine meinen meiner meinem meins dein deine euer eure euren
		eurem eurer unser unsere unseren unserem ihre ihren ihrem ihrer sein seine der die das den dem des ein eine einen einem einer eines ne nen ner
		n kein keine keinen dieser diese dieses diesen diesem solche solcher welche welcher welches welchen welchem was wer wie wo wann warum
		wieso weshalb woher wohin womit wozu und oder aber denn doch auch noch schon mal ja nein nicht nichts nur so sehr ganz gar etwa etwas was
		irgendwas irgendein irgendeine ist sind bin bist war waren wäre wären sei hab habe haben habt hat hast hatte hätte hätten hätt gibt
		gibts gibt's gäbe geben kann können könnt kannst könnte könnten könntet darf dürfen dürfte muss müssen soll sollte will wollen möchte möchten
		mag würde würden würdet wird werden wurde braucht brauch brauche brauchen bräuchte bräuchten suche suchen such sucht finde finden
		gefunden zeig zeigen zeigt sag sagen sagt weiß wissen weiss frage fragen wollte bitte danke dank vielen schön schönen guten gute gut
		guter gutes gern gerne hallo hi hey moin servus tach tag morgen abend grüezi grüß gruß liebe liebes team leute verkauft verkaufen
		verkaufst führt führen bietet bieten anbieten anbietet angebot da dabei dazu dann damit für fürs von vom zu zum zur mit bei beim bei
		in im ins an am auf aus nach um über unter vor hinter als wenn ob dass daß man mehr viel viele vieles wieviel hilfe helfen helft info infos
		information informationen empfehlen empfehlung empfehlt machen macht mach mache tun heißt heisst nennt namens heißen englisch deutsch spanisch
		wort ding dinger sache sachen teil zeug art sorte sorten artikel produkt produkte ware waren interessiere interesse dringend eigentlich
		vielleicht eventuell bitteschön lange dauert gut verfügbar lieferbar erhältlich vorrätig möglich möglichkeit wieder immer jetzt
		bedingungen regeln möglichkeiten`,
	trade: `internet preis preise preislich kostet kosten koste gekostet teuer lager kaufen kauf kaufe bestellen bestelle bestellung bestellt bestellungen
		erwerben online shop geschäft laden euro eur gebühr sortiment auswahl größe grösse größen rein raus`,
	idle: `backen essen sitzen wohnen arbeiten abends morgens nachts mittags täglich gebrauchen schützen schützt vermeiden vergessen verloren bekam gekommen gegangen gemacht gesehen gehört gelesen steckdose strom alltag freien wand boden ganze ganzen ganzer allein weiter richtig bestimmt größer kleiner halten hält halte passt passen nehmen nimmt nehme mitnehmen benutzen nutzen verwenden gehen geht gehe kommen kommt komme kam bringen
		bleiben bleibt lassen lässt lass stehen steht liegt legen stellen taugt eignet geeignet funktioniert tragen trage getragen anziehen
		unterwegs draußen drinnen ohne gegen zwischen durch während seit bis ab weniger höchstens maximal mindestens circa ca ungefähr sonst
		andere anderen anderer anderes anders ähnlich ähnliche gleich selbst alle alles jede jeder jedes jeden beide einige paar stück set
		mann frau sohn tochter freund freundin mutter mama vater papa bruder schwester oma opa baby familie partner leute jemand
		kollege kollegin chef kunde geburtstag weihnachten hochzeit heute gestern morgen übermorgen woche wochen wochenende monat monate
		monaten jahr jahre jahren tage tagen nacht nächte stunde stunden minute minuten uhrzeit zeit bald später früh spät montag dienstag mittwoch donnerstag freitag samstag
		sonntag winter sommer frühling herbst zuhause daheim haus wohnung wohnzimmer küche büro garten straße weg reise reisen urlaub ferien
		stadt land ort zimmer schule uni universität sport deutschland frankreich italien spanien portugal österreich schweiz polen
		niederlande holland belgien dänemark schweden norwegen england europa eu usa berlin hamburg münchen köln frankfurt madrid paris
		london wien zürich rom mailand
		cm mm meter kg kilo gramm g liter l ml zoll nummer akzeptieren akzeptiert enthalten enthält inklusive
		leider kaputtgegangen hin her los dran drauf drin rum sowas so'n problem falsch passiert warten wann welch brauchts`,
	trait: `rot rote roter rotes roten blau blaue blauer blaues blauen grün grüne grüner grünes grünen gelb gelbe gelber gelbes gelben schwarz
		schwarze schwarzer schwarzes schwarzen weiß weiße weißer weißes weißen weiss grau graue grauer graues grauen braun braune brauner
		braunes braunen rosa pink lila orange beige gold silber farbe farben dunkel dunkle dunkler dunkles hell helle groß große großer
		großes großen klein kleine kleiner kleines kleinen leicht leichte leichter leichtes leichten schwer schwere schweres schwerer lang langer langes
		kurz kurze kurzer dünn dünne dick dicke dicken weich weiche weiches hart stabil stabile robust schönes schöne schöner hübsch beste besten bestes besser toll
		billig billige günstig günstige günstiges günstiger preiswert neu neue neuer neues neuen alt alte einfach einfache schnell leise
		leises leiser warm warme warmes warmer kalt kalte kaltes heiß heißes gemütlich trocken nass bequem bequeme modern herren
		männer männern damen frauen kinder kind kindern jungen mädchen unisex xs s m l xl xxl zwei drei vier fünf sechs erste zweite`,
}
