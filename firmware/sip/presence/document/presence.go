package document

import "strings"

// Presence says whether a person can be called, and in words why not.
type Presence struct {
	Open bool
	Note string // e.g. "Do not disturb", "Paused: lunch"; may be empty
}

// PIDF is the presence of a person (RFC 3863 section 4).
func PIDF(of Watched, p Presence) []byte {
	basic := "closed"
	if p.Open {
		basic = "open"
	}
	entity := text(URI(of.Number, of.Host))
	var b strings.Builder
	b.WriteString(header + `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="` + entity + `">` + "\n")
	b.WriteString(`<tuple id="phone">` + "\n<status><basic>" + basic + "</basic></status>\n<contact>" + entity + "</contact>\n")
	if p.Note != "" {
		b.WriteString("<note>" + text(p.Note) + "</note>\n")
	}
	b.WriteString("</tuple>\n</presence>\n")
	return []byte(b.String())
}
