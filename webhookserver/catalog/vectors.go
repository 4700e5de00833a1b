package catalog

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
)

const (
	// MaxVectors bounds the texts of a channel that have vectors; later ones are found by their words alone.
	MaxVectors = 10_000
	// MaxDimensions bounds the numbers of a vector.
	MaxDimensions = 4096
	// maxVectorText bounds what a vector is made of, in bytes: models read little more, and what comes first says most.
	maxVectorText = 2000
	// fusion softens the ranks that are fused, as is usual: the first of a list counts little more than the second.
	fusion = 60
	// standsOut is by how many standard deviations a text must be more alike than the average one. What is alike at all differs from
	// model to model, and every question is alike to something.
	standsOut = 1.5
	// vectorOverhead is what a vector takes beside its numbers.
	vectorOverhead = 96
)

// digest identifies a text.
type digest [16]byte

func digestOf(text string) digest {
	sum := sha256.Sum256([]byte(text))
	return digest(sum[:16])
}

// vector is the direction of a text's meaning, its numbers a byte each: that tells texts apart as well as floats do, in a quarter of
// the memory.
type vector struct {
	scale float32
	parts []int8
}

// Vectors are those of texts, of one model. They are not safe for concurrent use while texts are added.
type Vectors struct {
	dimensions int
	byText     map[digest]vector
}

// NewVectors returns none.
func NewVectors() *Vectors { return &Vectors{byText: map[digest]vector{}} }

// Add keeps the vector of a text. It reports whether it can be used: it is of the length of the others, and its numbers are some.
func (v *Vectors) Add(text string, numbers []float32) bool {
	unit := normalized(numbers)
	if unit == nil || len(unit) > MaxDimensions || v.dimensions != 0 && len(unit) != v.dimensions {
		return false
	}
	v.dimensions = len(unit)
	most := float32(0)
	for _, n := range unit {
		most = max(most, n, -n)
	}
	kept := vector{scale: most / math.MaxInt8, parts: make([]int8, len(unit))}
	for i, n := range unit {
		kept.parts[i] = int8(math.Round(float64(n / kept.scale)))
	}
	v.byText[digestOf(text)] = kept
	return true
}

// Missing returns those of the texts that have no vector.
func (v *Vectors) Missing(texts []string) []string {
	return slices.DeleteFunc(slices.Clone(texts), func(text string) bool {
		_, ok := v.byText[digestOf(text)]
		return ok
	})
}

// of returns the vectors of texts, in their order; an empty one where there is none. v may be nil.
func (v *Vectors) of(texts []string) []vector {
	if v == nil {
		return nil
	}
	out := make([]vector, len(texts))
	for i, text := range texts {
		out[i] = v.byText[digestOf(text)]
	}
	return out
}

// vectorHeader begins what Encode returns.
type vectorHeader struct {
	Version, Dimensions, Count uint32
}

// vectorVersion is the only one that there has been.
const vectorVersion = 1

// Encode writes the vectors of the texts, and no others.
func (v *Vectors) Encode(texts []string) []byte {
	var body bytes.Buffer
	count := uint32(0)
	seen := map[digest]bool{}
	for _, text := range texts {
		id := digestOf(text)
		kept, ok := v.byText[id]
		if !ok || seen[id] {
			continue
		}
		seen[id] = true
		count++
		body.Write(id[:])
		body.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(kept.scale)))
		for _, n := range kept.parts {
			body.WriteByte(byte(n)) //nolint:gosec // its bits, whatever the sign; DecodeVectors turns them back
		}
	}
	head := binary.LittleEndian.AppendUint32(nil, vectorVersion)
	head = binary.LittleEndian.AppendUint32(head, uint32(v.dimensions)) //nolint:gosec // at most MaxDimensions
	head = binary.LittleEndian.AppendUint32(head, count)
	return append(head, body.Bytes()...)
}

// DecodeVectors reads what Encode wrote.
func DecodeVectors(encoded []byte) (*Vectors, error) {
	var head vectorHeader
	body := bytes.NewReader(encoded)
	if err := binary.Read(body, binary.LittleEndian, &head); err != nil {
		return nil, errors.New("the vectors have no header")
	}
	size := int(head.Dimensions) + len(digest{}) + 4
	if head.Version != vectorVersion || head.Dimensions > MaxDimensions || head.Count > MaxVectors || int(head.Count)*size != body.Len() {
		return nil, errors.New("the vectors are of another version, or not whole")
	}
	v := &Vectors{dimensions: int(head.Dimensions), byText: make(map[digest]vector, head.Count)}
	for range head.Count {
		var id digest
		var scale [4]byte
		parts := make([]byte, head.Dimensions)
		for _, into := range [][]byte{id[:], scale[:], parts} {
			if _, err := io.ReadFull(body, into); err != nil {
				return nil, errors.New("the vectors are not whole")
			}
		}
		kept := vector{scale: math.Float32frombits(binary.LittleEndian.Uint32(scale[:])), parts: make([]int8, len(parts))}
		for i, b := range parts {
			kept.parts[i] = int8(b) //nolint:gosec // it was one
		}
		v.byText[id] = kept
	}
	return v, nil
}

// normalized returns the vector of length 1 in the direction of numbers; nil if they have none.
func normalized(numbers []float32) []float32 {
	var sum float64
	for _, n := range numbers {
		sum += float64(n) * float64(n)
	}
	if sum == 0 || math.IsNaN(sum) || math.IsInf(sum, 0) {
		return nil
	}
	out := make([]float32, len(numbers))
	for i, n := range numbers {
		out[i] = float32(float64(n) / math.Sqrt(sum))
	}
	return out
}

// cosine is how alike a text is to a question, whose vector has the length 1.
func (v *vector) cosine(question []float32) float64 {
	var sum float32
	for i, n := range v.parts {
		sum += float32(n) * question[i]
	}
	return float64(sum * v.scale)
}

// Texts are what the vectors of products and passages are made of, products first; at most MaxVectors.
func (x *Index) Texts() []string {
	texts := make([]string, 0, min(MaxVectors, len(x.products)+len(x.passages)))
	for i := range x.products {
		p := &x.products[i]
		parts := []string{p.Title, p.Brand, p.Type, p.Attributes, p.Description}
		for _, language := range x.languages {
			if t, ok := p.Translations[language]; ok {
				parts = slices.Insert(parts, 1, t.Title)
			}
		}
		texts = append(texts, vectorText(parts))
	}
	for i := range x.passages {
		texts = append(texts, vectorText([]string{strings.Join(x.passages[i].Headings, " "), x.passages[i].Text}))
	}
	return texts[:min(len(texts), MaxVectors)]
}

// vectorText joins what is not empty.
func vectorText(parts []string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	text := strings.Join(parts, ". ")
	return strings.ToValidUTF8(text[:min(len(text), maxVectorText)], "")
}

// setVectors gives products and passages their vectors.
func (x *Index) setVectors(v *Vectors) {
	all := v.of(x.Texts())
	x.goodVectors = all[:min(len(all), len(x.products))]
	x.factVectors = all[len(x.goodVectors):]
}

// LacksVectors reports whether texts of the index have no vector.
func (x *Index) LacksVectors() bool {
	if len(x.goodVectors)+len(x.factVectors) < min(MaxVectors, len(x.products)+len(x.passages)) {
		return true
	}
	none := func(v vector) bool { return len(v.parts) == 0 }
	return slices.ContainsFunc(x.goodVectors, none) || slices.ContainsFunc(x.factVectors, none)
}

// WithQuestions returns the index with what gives questions their vectors, for as long as the index itself is used. When that fails,
// search goes by words.
func (x *Index) WithQuestions(embed func(ctx context.Context, question string) ([]float32, error)) *Index {
	y := *x
	y.embed = embed
	return &y
}

// alike returns the documents whose meaning is most like the question's, the most alike first; none if nobody can tell.
func (x *Index) alike(ctx context.Context, question string, vectors []vector, passes func(doc int) bool) []int {
	if x.embed == nil || len(vectors) == 0 || question == "" {
		return nil
	}
	numbers, err := x.embed(ctx, question)
	if err != nil {
		return nil // words are what is left; the model's failure is told by whoever called it
	}
	asked := normalized(numbers)
	type likeness struct {
		doc    int
		cosine float64
	}
	var all []likeness
	var sum, squares float64
	for doc := range vectors {
		if len(asked) == 0 || len(vectors[doc].parts) != len(asked) {
			continue
		}
		c := vectors[doc].cosine(asked)
		sum += c
		squares += c * c
		if passes(doc) {
			all = append(all, likeness{doc, c})
		}
	}
	if len(all) == 0 {
		return nil
	}
	n := float64(len(vectors))
	least := sum/n + standsOut*math.Sqrt(max(0, squares/n-sum/n*sum/n))
	slices.SortFunc(all, func(a, b likeness) int { return cmp.Or(cmp.Compare(b.cosine, a.cosine), cmp.Compare(a.doc, b.doc)) })
	out := make([]int, 0, minCandidates)
	for _, l := range all[:min(len(all), minCandidates)] {
		if l.cosine >= least {
			out = append(out, l.doc)
		}
	}
	return out
}

// fuse merges what was found by words and by meaning by their ranks, which can be compared where scores can't.
func fuse(words []ranking, alike []int) []ranking {
	if len(alike) == 0 {
		return words
	}
	all := slices.Clone(words)
	score := map[int]float64{}
	for i := range words {
		score[words[i].doc] += 1 / float64(fusion+i+1)
	}
	for i, doc := range alike {
		if _, found := score[doc]; !found {
			all = append(all, ranking{doc: doc})
		}
		score[doc] += 1 / float64(fusion+i+1)
	}
	slices.SortStableFunc(all, func(a, b ranking) int { return cmp.Compare(score[b.doc], score[a.doc]) })
	return all
}

// vectorBytes is the memory that vectors hold.
func vectorBytes(vectors []vector) int64 {
	var total int64
	for i := range vectors {
		total += int64(len(vectors[i].parts)) + vectorOverhead
	}
	return total
}
