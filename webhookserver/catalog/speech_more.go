package catalog

var french = manners{
	filler: `je tu il elle nous vous ils elles me te se moi mon ma mes ton ta tes votre vos notre nos leur un une des le la les l' de du d' en à au aux avec par
		pour et ou mais que qui quoi quel quelle quels quelles quand comment où combien est est-ce sont suis êtes être ai as a avez avons ont avoir y c'est
		ce cet cette ces voudrais voudrait voulons veux veut cherche cherchons chercher trouver besoin peux peut pouvez puis pourrais pourriez savoir dire
		montrer montrez-moi montrez aider aide question renseignement information plaît plait s'il svp bonjour bonsoir salut merci bien quelque chose
		type sorte article articles produit produits vendez vends vendre proposez avez-vous y-a-t-il plus très aussi ne pas disponible disponibles j'ai j'aimerais`,
	trade: `prix coûte coutent coûtent coute coût stock acheter commander commande commandes magasin euro euros`,
	idle: `aller va vais venir mettre prendre garder tenir servir utiliser porter sans sur sous contre entre depuis jusqu' pendant avant après moins autre
		même tout tous chaque mari femme fils fille copain copine mère père frère soeur ami amie famille gens personne personnes anniversaire
		noël aujourd'hui demain hier semaine semaines mois an ans jour jours nuit heure heures minute minutes temps lundi mardi mercredi jeudi
		vendredi samedi dimanche hiver été maison bureau jardin voyage vacances ville pays france allemagne espagne italie suisse belgique paris taille`,
	trait: `rouge bleu bleue vert verte jaune noir noire blanc blanche gris grise marron rose grand grande petit petite léger légère lourd long court
		chaud chaude froid froide bon bonne meilleur nouveau nouvelle neuf pas cher facile rapide homme hommes femmes enfant enfants garçon`,
}

var italian = manners{
	filler: `io tu lui lei noi voi loro mi ti si ci vi mio mia miei tuo vostro vostri nostro un uno una il lo la i gli le del della dei degli delle di da in
		a al alla con per e o ma che chi cosa quale quali quando come dove quanto quanta quanti è sono sei siete essere ho hai ha avete abbiamo hanno avere c'è
		questo questa questi queste vorrei vorremmo voglio cerco cerchiamo cercare trovare bisogno posso può potete potrei sapere dire mostra mostrami
		mostrare aiuto domanda informazioni informazione favore ciao buongiorno buonasera salve grazie qualcosa tipo articolo articoli prodotto
		prodotti vendete vende vendere più molto anche non disponibile disponibili serve servono`,
	trade: `prezzo prezzi costa costano costo comprare acquistare ordinare ordine ordini negozio magazzino euro`,
	idle: `andare va vado venire mettere prendere tenere usare portare senza su sotto contro tra fra dopo prima meno altro altra stesso tutto tutti ogni
		marito moglie figlio figlia fidanzato fidanzata madre padre fratello sorella amico amica famiglia persone persona compleanno natale oggi domani
		ieri settimana settimane mese mesi anno anni giorno giorni notte ora ore minuti tempo lunedì martedì mercoledì giovedì venerdì sabato domenica
		inverno estate casa ufficio giardino viaggio vacanza città paese italia germania spagna francia svizzera roma milano taglia misura`,
	trait: `rosso rossa blu azzurro verde giallo gialla nero nera bianco bianca grigio grigia marrone rosa grande piccolo piccola leggero leggera pesante lungo
		corto caldo calda freddo fredda buono buona migliore nuovo nuova economico facile veloce uomo uomini donna donne bambino bambini bambina`,
}

var portuguese = manners{
	filler: `eu tu ele ela nós vocês você me te se meu minha meus seu sua nosso um uma uns umas o a os as do da dos das de em no na com por para e ou mas que quem
		qual quais quando como onde quanto quanta quantos é são sou está estão ser estar tenho tem têm temos ter há este esta isto esse essa quero queria
		queremos gostaria preciso procuro procuramos procurar encontrar posso pode podem poderia saber dizer mostre mostrar ajuda pergunta informação
		informações favor olá oi bom boa dia tarde noite obrigado obrigada algo alguma algum coisa tipo artigo artigos produto produtos
		vendem vende vender mais muito também não disponível disponíveis`,
	trade: `preço preços custa custam custo comprar encomendar encomenda pedir pedido pedidos loja estoque stock euro euros reais`,
	idle: `ir vai vou vir pôr colocar levar usar guardar manter sem sobre contra entre desde até durante antes depois menos outro outra mesmo tudo todos cada
		marido esposa filho filha namorado namorada mãe pai irmão irmã amigo amiga família gente pessoa pessoas aniversário natal hoje amanhã ontem
		semana semanas mês meses ano anos noites hora horas minutos tempo segunda terça quarta quinta sexta sábado domingo inverno verão casa
		escritório jardim viagem férias cidade país portugal brasil espanha alemanha lisboa tamanho`,
	trait: `vermelho vermelha azul verde amarelo amarela preto preta branco branca cinza marrom castanho rosa grande pequeno pequena leve pesado longo curto
		quente frio fria melhor novo nova barato barata fácil rápido homem homens mulher mulheres criança crianças menino menina`,
}
