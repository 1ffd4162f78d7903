package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// newLine asks which line is added: a carrier's account, or a modem.
func (s *server) newLine(w http.ResponseWriter, v *visit) {
	all, err := config.Carriers()
	if err != nil {
		s.fault(w, v, err)
		return
	}
	p := page.NewLine{Reader: s.reader(v), Box: s.Name()}
	for _, x := range all {
		p.Carriers = append(p.Carriers, page.Choice{ID: x.ID, Name: s.carrierName(v, x.ID, x.Label)})
	}
	byName(p.Carriers)
	html, err := s.pages[v.lang].NewLine(p, time.Now())
	s.show(w, http.StatusOK, html, err)
}

// carrierName is what people call a carrier; those that stand for any have words.
func (s *server) carrierName(v *visit, id, label string) string {
	return s.pages[v.lang].Word("carrier."+id, label)
}

// byName brings carriers into the order of their names; who is not on the list comes last.
func byName(carriers []page.Choice) {
	slices.SortStableFunc(carriers, func(x, y page.Choice) int {
		return cmp.Or(cmp.Compare(generic(x.ID), generic(y.ID)), cmp.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)))
	})
}

// generic is 1 of a carrier that stands for any.
func generic(id string) int {
	if strings.HasPrefix(id, "generic-") {
		return 1
	}
	return 0
}

// newTrunkKind is what is asked about an account at a carrier of which a preset tells the rest.
func newTrunkKind(p config.Carrier) kind[config.Trunk] {
	type t = config.Trunk
	k := trunkKind()
	account := group[t]{key: "account"}
	asked := map[string]binding[t]{
		"server": text("server", "server", func(x *t) *string { return &x.Server }), "proxy": text("proxy", "proxy", func(x *t) *string { return &x.Proxy }),
		"domain": text("domain", "domain", func(x *t) *string { return &x.Domain }), "user": text("user", "user", func(x *t) *string { return &x.User }),
		"password": secret("password", "password", func(x *t) *config.Secret { return &x.Password }), "match": networks("match", "match", func(x *t) *[]netip.Prefix { return &x.Match }),
		"number": number("number", "number", func(x *t) *tel.Number { return &x.Number }),
	}
	asks := p.Asks
	if !slices.Contains(asks, "number") { // shown on calls to the outside, whoever the carrier is
		asks = append(slices.Clone(asks), "number")
	}
	for _, name := range asks {
		b := asked[name]
		b.must = slices.Contains(p.Asks, name) && !slices.Contains(p.Optional, name)
		account.fields = append(account.fields, b)
	}
	k.groups = []group[t]{{"who", []binding[t]{must(text("name", "name", func(x *t) *string { return &x.Name })), inbound()}}, account}
	return k
}

// networks are addresses or networks, one beside the other.
func networks[T any](name, path string, at func(*T) *[]netip.Prefix) binding[T] {
	b := binding[T]{name: name, path: path, kind: page.FieldText}
	b.get = func(x *T) string {
		var all []string
		for _, p := range *at(x) {
			all = append(all, p.String())
		}
		return strings.Join(all, " ")
	}
	b.set = func(x *T, v string) string {
		var all []netip.Prefix
		for _, word := range strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == ',' || r == ';' }) {
			p, err := netip.ParsePrefix(word)
			if err != nil {
				a, err := netip.ParseAddr(word)
				if err != nil || a.Zone() != "" {
					return "network"
				}
				p = netip.PrefixFrom(a, a.BitLen())
			}
			all = append(all, p)
		}
		*at(x) = all
		return ""
	}
	return b
}

// newModemKind is what is asked about a modem.
func newModemKind() kind[config.Line] {
	type l = config.Line
	k := lineKind()
	k.groups = []group[l]{{"who", append(slices.Clone(k.groups[0].fields), text("socket", "at", func(x *l) *string { return &x.AT }))}}
	socket := &k.groups[0].fields[len(k.groups[0].fields)-1]
	socket.get = func(x *l) string { return strings.TrimPrefix(strings.TrimPrefix(x.AT, "usb"), ":") }
	socket.set = func(x *l, v string) string {
		if x.AT = "usb"; v != "" {
			x.AT += ":" + v
		}
		if strings.Trim(v, "0123456789.") != "" {
			return "choice"
		}
		return ""
	}
	return k
}

// arrival is where the calls of a new line go: into the opening hours, or else the first queue.
func arrival(c *config.Config) string {
	switch {
	case len(c.Hours) > 0:
		return "hours:" + c.Hours[0].ID
	case len(c.Queues) > 0:
		return "queue:" + string(c.Queues[0].ID)
	}
	return ""
}

// departs has calls to the outside leave by a line too, where no route says otherwise.
func departs(c *config.Config, line string) {
	c.Routes = slices.Clone(c.Routes)
	for i := range c.Routes {
		if r := &c.Routes[i]; r.Prefix == "" && r.Pattern == "" && len(r.People) == 0 && r.Hours == "" {
			r.Via = append(slices.Clone(r.Via), line)
			return
		}
	}
	c.Routes = append(c.Routes, config.Route{Via: []string{line}})
}

// addition is a new line of either kind on its way into the draft.
type addition[T any] struct {
	kind   kind[T]
	title  string // key
	action string
	name   string // shown above the form
	blank  func(c *config.Config) T
	born   func(c *config.Config, x *T)
	line   func(x *T) string // as routes call it
	named  func(x *T) string
}

func trunkAddition(p config.Carrier) addition[config.Trunk] {
	return addition[config.Trunk]{
		kind: newTrunkKind(p), title: "line.new", action: "/lines/new/carrier/" + p.ID, name: p.Label,
		blank: func(c *config.Config) config.Trunk {
			x := config.Trunk{Name: p.Label, Preset: p.ID}
			if generic(p.ID) == 1 { // which carrier it is only the customer knows
				x.Name = ""
			}
			if to := arrival(c); to != "" {
				x.In = map[tel.Number]string{"*": to}
			}
			return x
		},
		born: func(c *config.Config, x *config.Trunk) {
			x.ID = tel.TrunkID(freeID(x.Name, "line", func(id string) bool { return nameOf(c, "trunks", id) != "" }))
		},
		line: func(x *config.Trunk) string { return "trunk:" + string(x.ID) }, named: func(x *config.Trunk) string { return x.Name },
	}
}

func modemAddition() addition[config.Line] {
	return addition[config.Line]{
		kind: newModemKind(), title: "line.new", action: "/lines/new/modem",
		blank: func(c *config.Config) config.Line { return config.Line{Type: "gsm", AT: "usb", In: arrival(c)} },
		born: func(c *config.Config, x *config.Line) {
			x.ID = tel.LineID(freeID(x.Name, "sim", func(id string) bool { return nameOf(c, "lines", id) != "" }))
		},
		line: func(x *config.Line) string { return "line:" + string(x.ID) }, named: func(x *config.Line) string { return x.Name },
	}
}

// newCarrier serves the form of an account at the carrier that the path names.
func (s *server) newCarrier(w http.ResponseWriter, v *visit) {
	id := v.PathValue("preset")
	if id == "" { // from the list
		id = v.URL.Query().Get("preset")
	}
	p, err := config.CarrierOf(id)
	p.Label = s.carrierName(v, p.ID, p.Label)
	switch {
	case err != nil:
		s.refuse(w, v, http.StatusNotFound, "gone")
	case v.PathValue("preset") == "":
		redirect(w, v, "/lines/new/carrier/"+p.ID)
	case v.Method == http.MethodPost:
		trunkAddition(p).add(s, w, v)
	default:
		trunkAddition(p).form(s, w, v, http.StatusOK, page.Form{}, true)
	}
}

// newModem serves the form of a modem.
func (s *server) newModem(w http.ResponseWriter, v *visit) {
	if v.Method == http.MethodPost {
		modemAddition().add(s, w, v)
		return
	}
	modemAddition().form(s, w, v, http.StatusOK, page.Form{}, true)
}

// form shows the form; out is whether calls to the outside are to leave by the line.
func (a addition[T]) form(s *server, w http.ResponseWriter, v *visit, status int, f page.Form, out bool) {
	if f.Blocks == nil {
		c := s.drafted(v)
		x := a.blank(&c)
		f.Blocks = a.kind.blocks(&c, &x, nil, nil)
	}
	f.Reader, f.Box, f.Back, f.Key, f.Title, f.Action = s.reader(v), s.Name(), "/lines/new", a.title, a.name, a.action
	f.Reader.Path = a.action
	field := page.Field{Kind: page.FieldCheck, Name: "out", Key: "line.out"}
	if out {
		field.Value = "on"
	}
	f.Blocks[0].Fields = append(f.Blocks[0].Fields, field)
	html, err := s.pages[v.lang].Form(f, time.Now())
	s.show(w, status, html, err)
}

// add takes the line into the visitor's draft, or shows what is wrong with it.
func (a addition[T]) add(s *server, w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	c := s.drafted(v)
	before := a.blank(&c)
	x, p := before, a.kind.read(v.PostForm)
	wrong := a.kind.write(&x, p)
	out := v.PostForm.Get("out") != ""
	a.born(&c, &x)
	do := func(c *config.Config) error {
		if other, _ := a.kind.find(c, a.kind.id(&x)); other != nil {
			return errGone
		}
		list := a.kind.of(c)
		*list = append(*list, x)
		if out {
			departs(c, a.line(&x))
		}
		return nil
	}
	at := len(*a.kind.of(&c))
	if err := do(&c); err != nil {
		s.refuse(w, v, http.StatusConflict, "gone")
		return
	}
	fields, others := a.kind.sort(c.Check(), at, s.problemAt)
	for name, code := range wrong {
		fields[name] = page.Said{Sentence: "problem." + code, Where: name}
	}
	if a.named(&x) == "" {
		fields["name"] = page.Said{Sentence: "problem.missing", Where: "name"}
	}
	for _, g := range a.kind.groups {
		for _, b := range g.fields {
			if b.must && b.read(v.PostForm) == "" && fields[b.name].Sentence == "" {
				fields[b.name] = page.Said{Sentence: "problem.missing", Where: b.name}
			}
		}
	}
	said := s.sentence("form.wrong")
	if len(fields) == 0 && len(others) == 0 {
		problems, err := s.propose(v, step{do: do})
		switch {
		case err == nil && len(problems) == 0:
			redirect(w, v, "/changes")
			return
		case errors.Is(err, errFull):
			said = s.sentence("changes.full")
		default:
			s.refuse(w, v, http.StatusConflict, "gone")
			return
		}
	}
	now := s.drafted(v)
	a.form(s, w, v, http.StatusUnprocessableEntity, page.Form{Said: said, Others: others, Blocks: a.kind.blocks(&now, &before, p, fields)}, out)
}
