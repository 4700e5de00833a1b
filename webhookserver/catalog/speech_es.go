package catalog

var spanish = manners{
	filler: `oigan oiga disculpa disculpen disculpe perdón q xq tb porfis porfa estaría estarían interesaría vds uds sería seria nomás acá allá fijo yo tú tu usted ustedes él ella ellos nosotros vosotros me te se le les lo la los las nos os mi mis mío mía tus su sus nuestro nuestra
		nuestros vuestro vuestra un una uno unos unas el del al de en a con por para y e o u pero que qué quién cuál cuáles cuándo cómo
		dónde donde cuánto cuánta cuántos cuántas cuanto cuanta cuantos cuantas como cuando porque si sí no ni ya más mas muy tan tanto mucho mucha muchos
		poco este esta esto estos estas ese esa eso esos esas aquel aquella es son soy eres somos sea está están estoy era fue ser estar he ha han has
		haber hay había tengo tiene tienen tienes tenéis tenemos tener tenga quiero quiere quieren queremos quería quisiera quisiéramos querría querer
		necesito necesita necesitamos necesitaría necesitar busco busca buscamos buscando buscar buscaba encuentro encontrar puedo puede
		pueden podéis podemos podría podrían podrías poder debo debe deseo desearía gustaría gusta interesa interesado interesada sabe saben
		sabéis saber decir dice decirme digo dime preguntar pregunta preguntas pregunto consulta consultar duda informar información info ayuda ayudar
		ayudarme ver mostrar muéstrame muestra enseñar recomienda recomiendan recomendáis recomendar ofrecen ofrece ofrecéis vende venden vendéis vendes
		manejan trabajan hola ola buenas buenos buen buena bueno días dias tardes noches gracias favor porfa porfavor saludos estimados amigo amigos chicos
		algo alguno alguna algunos algún algunas ningún ninguna cosa cosas cualquier tipo tipos clase artículo artículos producto
		productos llama llaman palabra inglés español alemán mismo hacer hace hacen hago hacéis da dan dar urgente quizás quizá tal vez también
		además entonces pues ahora todavía aún siempre sólo solo además aquí ahí allí disponible disponibles queda quedan tardan tarda política
		condiciones opciones mediante sirve sirven`,
	trade: `internet precio precios cuesta cuestan costo coste costar vale valen comprar compro compra compras pedir pido pedido pedidos encargar
		ordenar stock existencias tienda online euro euros dólares pesos oferta ofertas talla tallas tamaño`,
	idle: `estropear estropearla estropearlo comer andar sentar vivir guardar proteger protege evitar olvidé perdí enchufe pared suelo noches mañanas diario diaria entero entera adentro afuera arriba abajo quedar llegó compré recibí duele llevar llevo lleva llevarme usar uso usa utilizar va van voy ir venir viene vienen poner pongo pone traer trae cabe caben dura duran durar aguanta
		mantener mantiene mantenga mantengan sirve sirva funciona funcionan salir sale meter sin sobre contra entre desde hasta durante
		antes después luego menos máximo mínimo fuera dentro cerca otro otra otros otras mismo misma igual parecido parecida diferente todo toda todos todas
		cada varios varias par pares juego pieza piezas mitad
		marido esposo esposa hijo hija madre mamá padre papá hermano hermana abuela abuelo amiga bebé familia gente persona
		personas alguien jefe cliente cumpleaños navidad boda hoy mañana ayer semana semanas mes meses año años día noche hora horas
		minuto minutos tiempo pronto tarde temprano lunes martes miércoles jueves viernes sábado sábados domingo domingos invierno verano primavera
		otoño casa hogar piso salón cocina oficina jardín camino calle viaje viajes viajar vacaciones ciudad país lugar habitación cuarto escuela
		universidad uni deporte españa francia italia alemania portugal austria suiza inglaterra méxico argentina colombia chile perú
		europa madrid barcelona valencia sevilla bilbao lisboa parís londres berlín hamburgo roma
		cm mm metro metros kg kilo kilos gramo gramos g litro litros l ml pulgadas número acepta aceptan aceptáis admiten incluye incluyen
		problema mal pasa pasó ando anda vez veces eh oye`,
	trait: `rojo roja rojos rojas azul azules verde verdes amarillo amarilla negro negra negros negras blanco blanca blancos blancas gris grises
		marrón rosa morado naranja beige dorado plateado color colores oscuro oscura claro clara grande grandes pequeño pequeña pequeños pequeñas
		chico chica mediano ligero ligera ligeros pesado pesada largo larga corto corta fino fina grueso gruesa gruesos suave suaves duro fuerte resistente bonito
		bonita lindo linda mejor mejores perfecto barata baratos baratas económico económica caro cara nuevo nueva nuevos nuevas viejo calidad
		simple fácil rápido rápida silencioso silenciosa caliente calientes frío fría fríos calentito cálido cálida cómodo cómoda
		seco moderno hombre hombres mujer mujeres caballero señora niño niña niños niñas unisex xs s m l xl xxl dos tres cuatro
		cinco seis primero segundo`,
}
