package catalog

import (
	"strings"
	"testing"
)

// TestNeeds: who says what he wants done, and not with what, is shown what does it, if the shop has it.
func TestNeeds(t *testing.T) {
	x := build(t, Source{Languages: []string{"en", "de", "es"}, Format: CSV, Feed: []byte("id,override,title,description\n" +
		"gloves,,Lined Gloves,Of wool\ngloves,de_DE,Gefütterte Handschuhe,Aus Wolle\ngloves,es_ES,Guantes forrados,De lana\n" +
		"belt,,Leather Belt,Brown\nlamp,,Floor Lamp,With a shade\ncoffee,,Filter Coffee,Mild and ground\nflask,,Thermos Flask,Of steel\n")})
	for question, want := range map[string]string{
		"my hands are freezing on the bike":      "gloves",
		"mir frieren die Finger":                 "gloves",
		"se me congelan las manos":               "gloves",
		"my trousers keep sliding down":          "belt",
		"something for the dark corner":          "lamp",
		"something to keep my tea hot":           "flask",
		"my feet get wet in puddles":             "", // there are no boots
		"my hands are full":                      "",
		"do you have a belt":                     "belt",
		"something to keep coffee hot all day":   "coffee flask", // what is named comes first
		"what are your opening hours on Sunday?": "",
	} {
		found, err := x.Find(t.Context(), question, 3)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range found {
			got = append(got, f.Product.ID)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q found %q, want %q", question, got, want)
		}
	}
}

// TestNeedsAreReadable: each line has goods that are words of a concept or plain English, and no empty group.
func TestNeedsAreReadable(t *testing.T) {
	for i, n := range readNeeds {
		if len(n.groups) == 0 || len(n.goods) == 0 || len(n.goods) > maxGoods || n.goods[0] == "" {
			t.Errorf("%q", needs[i])
		}
		for _, goods := range n.goods {
			for word := range strings.FieldsSeq(goods) {
				if mannerOf(word, "en") == filler {
					t.Errorf("%q of %q says nothing", word, needs[i])
				}
			}
		}
	}
}
