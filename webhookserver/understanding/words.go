package understanding

import (
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// words are what customers are told in one language.
type words struct {
	// cannot says that a kind of message can't be understood; %s is the kind.
	cannot string
	// trouble says that one message couldn't be understood this time; %s is the kind.
	trouble string
	// works says what can be sent instead; %s is a list.
	works string
	// and joins the last two of a list.
	and string
	// write asks to write instead of speaking, describe to describe what a photo shows.
	write, describe string
	// gotPlace and gotContact confirm.
	gotPlace, gotContact string
	// kinds in the plural, for cannot; this for trouble ("your voice note").
	kinds, this map[kind]string
	// texts, voice and photos are what may work.
	texts, voice, photos string
	// markers are frequent words by which the language is told from the others.
	markers []string
}

// unsupported is the answer to what no channel understands.
func (w *words) unsupported(k kind, ch *runtimeconfig.Channel) string {
	return strings.ReplaceAll(w.cannot, "%s", w.kinds[k]) + " " + w.alternatives(ch)
}

// unread is the answer to a voice note or a photo that was not understood: because the channel has no model for it, which is off,
// or because something failed.
func (w *words) unread(k kind, off bool, ch *runtimeconfig.Channel) string {
	if off {
		return w.unsupported(k, ch)
	}
	instead := w.write
	if k == kindPhoto {
		instead = w.describe
	}
	return strings.ReplaceAll(w.trouble, "%s", w.this[k]) + " " + instead
}

// received confirms a place or a contact.
func (w *words) received(k kind) string {
	if k == kindPlace {
		return w.gotPlace
	}
	return w.gotContact
}

// alternatives names what works on the channel.
func (w *words) alternatives(ch *runtimeconfig.Channel) string {
	can := []string{w.texts}
	if ch.Assistant.Transcription != nil {
		can = append(can, w.voice)
	}
	if ch.Assistant.Vision != nil {
		can = append(can, w.photos)
	}
	list := can[0]
	if last := len(can) - 1; last > 0 {
		list = strings.Join(can[:last], ", ") + w.and + can[last]
	}
	return strings.ReplaceAll(w.works, "%s", list)
}

// languages are those that have words, in the order in which guesses prefer them.
var languages = []string{"en", "es", "pt", "fr", "it", "de", "id", "hi", "ar"}

var spoken = map[string]*words{
	"en": {
		cannot: "I'm sorry, I can't read %s yet.", trouble: "I'm sorry, I couldn't understand %s.",
		works: "You can send me %s.", and: " and ", write: "Could you write it to me, please?",
		describe: "Could you tell me in words what you are looking for, please?",
		gotPlace: "Thank you, I have noted the location. What can I do for you?", gotContact: "Thank you, I have noted the contact. What can I do for you?",
		kinds: map[kind]string{kindVideo: "videos", kindDocument: "documents", kindSticker: "stickers", kindVoice: "voice notes", kindPhoto: "photos", kindPlace: "this location", kindContact: "this contact", kindOther: "this kind of message"},
		this:  map[kind]string{kindVoice: "your voice note", kindPhoto: "your photo"},
		texts: "text messages", voice: "voice notes", photos: "photos",
		markers: []string{"the", "is", "are", "you", "your", "do", "does", "what", "how", "have", "hello", "hi", "please", "and", "can", "when", "i", "this"},
	},
	"de": {
		cannot: "%s kann ich leider noch nicht lesen.", trouble: "%s konnte ich leider nicht verstehen.",
		works: "Sie können mir %s schicken.", and: " und ", write: "Könnten Sie es mir bitte schreiben?",
		describe: "Könnten Sie mir bitte beschreiben, was Sie suchen?",
		gotPlace: "Danke, den Standort habe ich notiert. Was kann ich für Sie tun?", gotContact: "Danke, den Kontakt habe ich notiert. Was kann ich für Sie tun?",
		kinds: map[kind]string{kindVideo: "Videos", kindDocument: "Dokumente", kindSticker: "Sticker", kindVoice: "Sprachnachrichten", kindPhoto: "Fotos", kindPlace: "Diesen Standort", kindContact: "Diesen Kontakt", kindOther: "Nachrichten dieser Art"},
		this:  map[kind]string{kindVoice: "Ihre Sprachnachricht", kindPhoto: "Ihr Foto"},
		texts: "Textnachrichten", voice: "Sprachnachrichten", photos: "Fotos",
		markers: []string{"der", "die", "das", "ist", "sind", "sie", "ich", "haben", "habt", "wie", "was", "wann", "und", "ein", "eine", "nicht", "hallo", "bitte", "ihr"},
	},
	"es": {
		cannot: "Lo siento, todavía no puedo leer %s.", trouble: "Lo siento, no pude entender %s.",
		works: "Puede enviarme %s.", and: " y ", write: "¿Podría escribírmelo, por favor?",
		describe: "¿Podría decirme con palabras qué busca, por favor?",
		gotPlace: "Gracias, he anotado la ubicación. ¿En qué puedo ayudarle?", gotContact: "Gracias, he anotado el contacto. ¿En qué puedo ayudarle?",
		kinds: map[kind]string{kindVideo: "vídeos", kindDocument: "documentos", kindSticker: "stickers", kindVoice: "notas de voz", kindPhoto: "fotos", kindPlace: "esta ubicación", kindContact: "este contacto", kindOther: "este tipo de mensaje"},
		this:  map[kind]string{kindVoice: "su nota de voz", kindPhoto: "su foto"},
		texts: "mensajes de texto", voice: "notas de voz", photos: "fotos",
		markers: []string{"el", "los", "las", "es", "son", "está", "tienen", "tiene", "qué", "cómo", "cuándo", "cuánto", "y", "hola", "por", "favor", "con", "quiero", "gracias", "buenos"},
	},
	"fr": {
		cannot: "Désolé, je ne sais pas encore lire %s.", trouble: "Désolé, je n'ai pas pu comprendre %s.",
		works: "Vous pouvez m'envoyer %s.", and: " et ", write: "Pourriez-vous me l'écrire, s'il vous plaît ?",
		describe: "Pourriez-vous me décrire ce que vous cherchez, s'il vous plaît ?",
		gotPlace: "Merci, j'ai noté le lieu. Que puis-je faire pour vous ?", gotContact: "Merci, j'ai noté le contact. Que puis-je faire pour vous ?",
		kinds: map[kind]string{kindVideo: "les vidéos", kindDocument: "les documents", kindSticker: "les stickers", kindVoice: "les messages vocaux", kindPhoto: "les photos", kindPlace: "ce lieu", kindContact: "ce contact", kindOther: "ce type de message"},
		this:  map[kind]string{kindVoice: "votre message vocal", kindPhoto: "votre photo"},
		texts: "des messages écrits", voice: "des messages vocaux", photos: "des photos",
		markers: []string{"le", "les", "des", "est", "sont", "vous", "je", "avez", "comment", "quand", "quel", "quelle", "et", "une", "bonjour", "pour", "nous", "merci"},
	},
	"pt": {
		cannot: "Desculpe, ainda não consigo ler %s.", trouble: "Desculpe, não consegui entender %s.",
		works: "Pode enviar-me %s.", and: " e ", write: "Poderia escrever, por favor?",
		describe: "Poderia dizer por palavras o que procura, por favor?",
		gotPlace: "Obrigado, anotei a localização. Como posso ajudar?", gotContact: "Obrigado, anotei o contato. Como posso ajudar?",
		kinds: map[kind]string{kindVideo: "vídeos", kindDocument: "documentos", kindSticker: "figurinhas", kindVoice: "mensagens de voz", kindPhoto: "fotos", kindPlace: "esta localização", kindContact: "este contato", kindOther: "este tipo de mensagem"},
		this:  map[kind]string{kindVoice: "a sua mensagem de voz", kindPhoto: "a sua foto"},
		texts: "mensagens de texto", voice: "mensagens de voz", photos: "fotos",
		markers: []string{"os", "são", "você", "vocês", "tem", "têm", "quanto", "uma", "olá", "oi", "não", "quero", "do", "da", "obrigado", "obrigada", "bom", "dia"},
	},
	"it": {
		cannot: "Mi dispiace, non so ancora leggere %s.", trouble: "Mi dispiace, non sono riuscito a capire %s.",
		works: "Può inviarmi %s.", and: " e ", write: "Potrebbe scrivermelo, per favore?",
		describe: "Potrebbe dirmi a parole che cosa cerca, per favore?",
		gotPlace: "Grazie, ho annotato la posizione. Come posso aiutarla?", gotContact: "Grazie, ho annotato il contatto. Come posso aiutarla?",
		kinds: map[kind]string{kindVideo: "i video", kindDocument: "i documenti", kindSticker: "gli sticker", kindVoice: "i messaggi vocali", kindPhoto: "le foto", kindPlace: "questa posizione", kindContact: "questo contatto", kindOther: "questo tipo di messaggio"},
		this:  map[kind]string{kindVoice: "il suo messaggio vocale", kindPhoto: "la sua foto"},
		texts: "messaggi di testo", voice: "messaggi vocali", photos: "foto",
		markers: []string{"il", "gli", "è", "sono", "avete", "che", "quando", "quanto", "ciao", "buongiorno", "per", "vorrei", "di", "della", "grazie"},
	},
	"id": {
		cannot: "Maaf, saya belum bisa membaca %s.", trouble: "Maaf, saya tidak dapat memahami %s.",
		works: "Anda bisa mengirimi saya %s.", and: " dan ", write: "Bisakah Anda menuliskannya?",
		describe: "Bisakah Anda menjelaskan dengan kata-kata apa yang Anda cari?",
		gotPlace: "Terima kasih, lokasinya sudah saya catat. Ada yang bisa saya bantu?", gotContact: "Terima kasih, kontaknya sudah saya catat. Ada yang bisa saya bantu?",
		kinds: map[kind]string{kindVideo: "video", kindDocument: "dokumen", kindSticker: "stiker", kindVoice: "pesan suara", kindPhoto: "foto", kindPlace: "lokasi ini", kindContact: "kontak ini", kindOther: "jenis pesan ini"},
		this:  map[kind]string{kindVoice: "pesan suara Anda", kindPhoto: "foto Anda"},
		texts: "pesan teks", voice: "pesan suara", photos: "foto",
		markers: []string{"apa", "apakah", "ada", "saya", "anda", "yang", "ini", "itu", "berapa", "halo", "terima", "kasih", "tidak", "mau", "dan", "untuk", "harga", "kapan"},
	},
	"hi": {
		cannot: "क्षमा करें, मैं अभी %s नहीं समझ सकता।", trouble: "क्षमा करें, मैं %s नहीं समझ पाया।",
		works: "आप मुझे %s भेज सकते हैं।", and: " और ", write: "क्या आप इसे लिखकर भेज सकते हैं?",
		describe: "क्या आप शब्दों में बता सकते हैं कि आप क्या ढूँढ रहे हैं?",
		gotPlace: "धन्यवाद, मैंने स्थान नोट कर लिया है। मैं आपकी क्या मदद कर सकता हूँ?", gotContact: "धन्यवाद, मैंने संपर्क नोट कर लिया है। मैं आपकी क्या मदद कर सकता हूँ?",
		kinds: map[kind]string{kindVideo: "वीडियो", kindDocument: "दस्तावेज़", kindSticker: "स्टिकर", kindVoice: "वॉइस मैसेज", kindPhoto: "फ़ोटो", kindPlace: "यह स्थान", kindContact: "यह संपर्क", kindOther: "इस तरह का संदेश"},
		this:  map[kind]string{kindVoice: "आपका वॉइस मैसेज", kindPhoto: "आपकी फ़ोटो"},
		texts: "टेक्स्ट संदेश", voice: "वॉइस मैसेज", photos: "फ़ोटो",
	},
	"ar": {
		cannot: "عذرًا، لا أستطيع قراءة %s بعد.", trouble: "عذرًا، لم أتمكن من فهم %s.",
		works: "يمكنك أن ترسل إليّ %s.", and: " و", write: "هل يمكنك كتابتها من فضلك؟",
		describe: "هل يمكنك أن تصف لي بالكلمات ما تبحث عنه من فضلك؟",
		gotPlace: "شكرًا، لقد سجّلت الموقع. كيف يمكنني مساعدتك؟", gotContact: "شكرًا، لقد سجّلت جهة الاتصال. كيف يمكنني مساعدتك؟",
		kinds: map[kind]string{kindVideo: "مقاطع الفيديو", kindDocument: "المستندات", kindSticker: "الملصقات", kindVoice: "الرسائل الصوتية", kindPhoto: "الصور", kindPlace: "هذا الموقع", kindContact: "جهة الاتصال هذه", kindOther: "هذا النوع من الرسائل"},
		this:  map[kind]string{kindVoice: "رسالتك الصوتية", kindPhoto: "صورتك"},
		texts: "رسائل نصية", voice: "رسائل صوتية", photos: "صورًا",
	},
}
