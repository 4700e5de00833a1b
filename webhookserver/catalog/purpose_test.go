package catalog

import "testing"

// TestPurposes asks the sample shop what is good for something that stands in descriptions alone.
func TestPurposes(t *testing.T) {
	x := sampleShop(t)
	for question, want := range map[string]string{
		"which plant is good for a balcony?":              "Lavender",
		"which plant is good for a pot on the balcony":    "Lavender",
		"something for bees":                              "Lavender",
		"What do you have for a balcony?":                 "Lavender",
		"do you have plants for the bathroom":             "Boston Fern",
		"a pot for the balcony":                           "Terracotta Pot", // what is named comes first
		"I'm looking for bees":                            "",
		"something for dogs":                              "",
		"a grill for balconies and bees":                  "",
		"a hammock for bright bathrooms, balconies, bees": "", // all that it is for is no hammock
	} {
		found, err := x.Find(t.Context(), question, 1)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(found) > 0 && found[0].Product != nil {
			got = found[0].Product.Title
		} else if len(found) > 0 {
			got = found[0].Passage.ID
		}
		if got != want {
			t.Errorf("%q found %q, want %q", question, got, want)
		}
	}
}
