package catalog

// genera are the names of whole departments, which people put beside the name of one thing in it: a cactus plant, a sofa from the
// furniture. The catalog calls it a cactus, so that the other word must not count as something that it lacks.
var genera = foldedSet(
	"plant plants flower flowers tree trees shrub shrubs bush herb herbs fruit fruits vegetable vegetables food foods drink drinks beverage beverages "+
		"furniture clothing clothes garment garments apparel footwear jewellery jewelry cosmetics electronics tool tools toy toys device devices gadget gadgets "+
		"appliance appliances machine machines equipment gear accessory accessories",
	"pflanze pflanzen blume blumen baum bäume strauch sträucher kräuter obst gemüse lebensmittel getränk getränke möbel möbelstück kleidung "+
		"kleidungsstück kleidungsstücke schmuck kosmetik elektronik werkzeug werkzeuge spielzeug gerät geräte maschine maschinen ausrüstung zubehör",
	"planta plantas flor flores árbol árboles arbusto hierba hierbas fruta frutas verdura verduras alimento alimentos bebida bebidas mueble muebles ropa "+
		"prenda prendas calzado joyas cosmética electrónica herramienta herramientas juguete juguetes aparato aparatos electrodoméstico "+
		"electrodomésticos máquina máquinas equipo accesorio accesorios",
	"plante plantes fleur fleurs arbre arbres fruits légumes boisson boissons meuble meubles vêtement vêtements bijoux outil outils jouet jouets appareil appareils machine machines accessoires",
	"pianta piante fiore fiori albero alberi frutta verdura bevande mobile mobili vestiti abbigliamento gioielli attrezzi giocattoli apparecchio macchina accessori",
	"árvore árvores legumes móvel móveis roupa roupas calçado joias ferramenta ferramentas brinquedo brinquedos aparelho aparelhos acessórios",
)
