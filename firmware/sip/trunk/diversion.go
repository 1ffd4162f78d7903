package trunk

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Diverter is a party that forwarded a call on its way to us.
type Diverter struct {
	Number tel.Number // in the box's form; empty = withheld, or no number
	Name   string
	Reason string // "unconditional", "user-busy", "no-answer", ... (RFC 5806 section 4); empty = unknown
}

const maxDiversions = 16 // entries that are read; a longer list is cut

// Diverted returns who forwarded the call first, which is whom the caller dialled, and who did last:
// from Diversion (RFC 5806), else from History-Info (RFC 7044). ok is false for a call that was not
// forwarded.
func (t *Trunk) Diverted(req *sip.Request) (first, last Diverter, ok bool) {
	list := t.diversions(req)
	if len(list) == 0 {
		list = t.history(req)
	}
	if len(list) == 0 {
		return first, last, false
	}
	return list[0], list[len(list)-1], true
}

// diversions are the entries of Diversion, the first diversion first; in the message the last one is
// on top (RFC 5806 section 5).
func (t *Trunk) diversions(req *sip.Request) []Diverter {
	entries := entriesOf(req, "Diversion")
	list := make([]Diverter, 0, len(entries))
	for i := len(entries) - 1; i >= 0; i-- {
		name, u, params, ok := nameAddr(entries[i])
		if !ok {
			continue
		}
		d := Diverter{Reason: params["reason"]}
		if p := params["privacy"]; p != "full" && p != "uri" && !anonymous(&u) {
			d.Number = t.numberAt(&u)
			if p != "name" {
				d.Name = displayName(name, &u)
			}
		}
		list = append(list, d)
	}
	return list
}

// history are the diverting entries of History-Info: those that the next entry was mapped from (mp,
// RFC 7044 section 5.3.2), or whose successor says by RFC 4458 why it became the target.
func (t *Trunk) history(req *sip.Request) []Diverter {
	type entry struct {
		u      sip.Uri
		name   string
		params map[string]string
		cause  int
	}
	var all []entry
	for _, text := range entriesOf(req, "History-Info") {
		if name, u, params, ok := nameAddr(text); ok && params["index"] != "" {
			all = append(all, entry{u, name, params, causeParam(&u)})
		}
	}
	var list []Diverter
	for i := range len(all) - 1 {
		was, now := all[i], all[i+1]
		if _, mapped := now.params["mp"]; !mapped && now.cause == 0 {
			continue
		}
		d := Diverter{Reason: reasonOf(now.cause)}
		if privacy, _ := was.u.Headers.Get("Privacy"); privacy == "" || strings.EqualFold(privacy, "none") {
			d.Number, d.Name = t.numberAt(&was.u), displayName(was.name, &was.u)
		}
		list = append(list, d)
	}
	return list
}

// causeParam is the redirecting reason in a target's URI (RFC 4458 section 2); 0 = none.
func causeParam(u *sip.Uri) int {
	text, ok := u.UriParams.Get("cause")
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// reasonOf gives RFC 4458's numbers the words of RFC 5806.
func reasonOf(cause int) string {
	switch cause {
	case 302:
		return "unconditional"
	case 404:
		return "unavailable"
	case 408:
		return "no-answer"
	case 480:
		return "deflection"
	case 486:
		return "user-busy"
	case 503:
		return "out-of-service"
	}
	return ""
}

// entriesOf splits the comma-separated values of a header, over all its lines, with commas in quotes
// and in angle brackets kept.
func entriesOf(req *sip.Request, header string) []string {
	var all []string
	for _, h := range req.GetHeaders(header) {
		quoted, angle, from := false, false, 0
		text := h.Value()
		for i := 0; i < len(text) && len(all) < maxDiversions; i++ {
			switch c := text[i]; {
			case c == '\\' && quoted:
				i++
			case c == '"' && !angle:
				quoted = !quoted
			case quoted:
			case c == '<':
				angle = true
			case c == '>':
				angle = false
			case c == ',' && !angle:
				all = append(all, strings.TrimSpace(text[from:i]))
				from = i + 1
			}
		}
		if rest := strings.TrimSpace(text[from:]); rest != "" && len(all) < maxDiversions {
			all = append(all, rest)
		}
	}
	return all
}

// nameAddr reads one name-addr or addr-spec and the parameters behind it, names and values in small
// letters.
func nameAddr(text string) (name string, u sip.Uri, params map[string]string, ok bool) {
	address, rest := text, ""
	if open := strings.IndexByte(afterQuotes(text), '<'); open >= 0 {
		open += len(text) - len(afterQuotes(text))
		end := strings.IndexByte(text[open:], '>')
		if end < 0 {
			return "", sip.Uri{}, nil, false
		}
		address, rest = text[:open+end+1], text[open+end+1:]
	}
	name, err := sip.ParseAddressValue(address, &u, nil)
	if err != nil {
		return "", sip.Uri{}, nil, false
	}
	params = map[string]string{}
	rest, _, _ = strings.Cut(rest, ",")
	for p := range strings.SplitSeq(rest, ";") {
		if key, value, _ := strings.Cut(p, "="); strings.TrimSpace(key) != "" {
			if plain, err := url.PathUnescape(strings.Trim(strings.TrimSpace(value), `"`)); err == nil {
				params[strings.ToLower(strings.TrimSpace(key))] = strings.ToLower(plain)
			}
		}
	}
	return name, u, params, true
}

// afterQuotes is the text behind a quoted display name; the whole text if it has none.
func afterQuotes(text string) string {
	trimmed := strings.TrimLeft(text, " \t")
	if !strings.HasPrefix(trimmed, `"`) {
		return text
	}
	for i := 1; i < len(trimmed); i++ {
		switch trimmed[i] {
		case '\\':
			i++
		case '"':
			return trimmed[i+1:]
		}
	}
	return text
}
