package web

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/page"
)

// binding ties a field of a form to a part of a T of the configuration. A value is one text; several choices
// are joined by commas.
type binding[T any] struct {
	name    string // of the field
	path    string // of the part within T, as config.Problem names it
	kind    string // one of page's
	unit    string // key; empty: none
	must    bool
	choices func(c *config.Config, x *T) []page.Option // without those that are On
	get     func(x *T) string
	set     func(x *T, value string) (wrong string) // code of the mistake
}

// group is a block of a form.
type group[T any] struct {
	key    string
	fields []binding[T]
}

// kind is a list of the configuration whose entries have forms.
type kind[T any] struct {
	name   string // of the list, as config.Change names it
	of     func(c *config.Config) *[]T
	id     func(x *T) string
	alone  bool // there is one, in no list
	groups []group[T]
}

func (k kind[T]) find(c *config.Config, id string) (*T, int) {
	all := *k.of(c)
	for i := range all {
		if k.id(&all[i]) == id {
			return &all[i], i
		}
	}
	return nil, -1
}

// key names a field in the catalogue.
func (k kind[T]) key(field string) string { return "set." + k.name + "." + field }

// posted is what a form says of its fields: what the person has changed in it.
type posted map[string]string

// read finds in a posted form what differs from what the form was made from.
func (k kind[T]) read(form url.Values) posted {
	changed := posted{}
	for _, g := range k.groups {
		for _, b := range g.fields {
			value := b.read(form)
			if value != form.Get("was-"+b.name) || !form.Has("was-"+b.name) && b.present(form) {
				changed[b.name] = value
			}
		}
	}
	return changed
}

func (b binding[T]) present(form url.Values) bool { return form.Has(b.name) }

func (b binding[T]) read(form url.Values) string {
	switch b.kind {
	case page.FieldChecks:
		return strings.Join(form[b.name], ",")
	case page.FieldMembers:
		all := slices.Clone(form[b.name])
		place := func(id string) int {
			n, err := strconv.Atoi(form.Get(b.name + "-place-" + id))
			if err != nil || n < 1 {
				return math.MaxInt
			}
			return n
		}
		slices.SortStableFunc(all, func(x, y string) int { return cmp.Compare(place(x), place(y)) })
		return strings.Join(all, ",")
	case page.FieldOrder:
		return b.ordered(form)
	case page.FieldPlace:
		if number := strings.Map(digits, form.Get(b.name+"-outside")); number != "" {
			return "outside:" + number
		}
	case page.FieldArea:
		return strings.TrimSpace(strings.ReplaceAll(form.Get(b.name), "\r\n", "\n"))
	}
	return strings.TrimSpace(form.Get(b.name))
}

// ordered are the ids of a field that is an order, sorted by the places that were written beside them. Who is moved to
// the place of another comes before it on the way up and behind it on the way down. A place that cannot be read is kept
// behind its id and "=".
func (b binding[T]) ordered(form url.Values) string {
	type placed struct {
		id string
		at int
	}
	var all []placed
	for i, id := range form[b.name] {
		text := strings.TrimSpace(form.Get(b.name + "-place-" + id))
		was := i + 1
		n, err := strconv.Atoi(cmp.Or(text, strconv.Itoa(was)))
		if err != nil || n < 1 || n > mostPlace {
			id, n = id+"="+text, was
		}
		all = append(all, placed{id, 2*n + cmp.Compare(n, was)})
	}
	slices.SortStableFunc(all, func(x, y placed) int { return cmp.Compare(x.at, y.at) })
	ids := make([]string, len(all))
	for i, x := range all {
		ids[i] = x.id
	}
	return strings.Join(ids, ",")
}

// mostPlace is the last place that can be written.
const mostPlace = 999

// digits drops what people write into numbers for the eye.
func digits(r rune) rune {
	if strings.ContainsRune(" .-/()", r) {
		return -1
	}
	return r
}

// write sets what was posted and returns the codes of mistakes by field.
func (k kind[T]) write(x *T, p posted) map[string]string {
	wrong := map[string]string{}
	for _, g := range k.groups {
		for _, b := range g.fields {
			value, changed := p[b.name]
			if !changed {
				continue
			}
			if code := b.set(x, value); code != "" {
				wrong[b.name] = code
			}
		}
	}
	return wrong
}

// blocks are the fields of x as a form shows them, with what was posted in their place.
func (k kind[T]) blocks(c *config.Config, x *T, p posted, wrong map[string]page.Said) (all []page.Block) {
	for _, g := range k.groups {
		block := page.Block{Key: "block." + k.name + "." + g.key}
		for _, b := range g.fields {
			f := page.Field{Kind: b.kind, Name: b.name, Key: k.key(b.name), Unit: b.unit, Must: b.must, Was: b.get(x), Wrong: wrong[b.name]}
			f.Value = f.Was
			if value, changed := p[b.name]; changed {
				f.Value = value
			}
			if b.choices != nil {
				f.Choices = b.choices(c, x)
				b.mark(&f)
			}
			block.Fields = append(block.Fields, f)
		}
		all = append(all, block)
	}
	return all
}

// mark ticks what is chosen. A value that is not offered is added, so that saving the form does not lose it.
func (b binding[T]) mark(f *page.Field) {
	chosen := strings.Split(f.Value, ",")
	if b.kind == page.FieldSelect || b.kind == page.FieldPlace {
		chosen = []string{f.Value}
	}
	if number, ok := strings.CutPrefix(f.Value, "outside:"); ok && b.kind == page.FieldPlace {
		f.Outside, chosen = number, nil
	}
	for place, id := range chosen {
		if b.kind == page.FieldOrder {
			id, _, _ = strings.Cut(id, "=")
		}
		i := slices.IndexFunc(f.Choices, func(o page.Option) bool { return o.ID == id })
		if i < 0 && id != "" && b.kind != page.FieldOrder {
			f.Choices = append(f.Choices, page.Option{ID: id, Name: id})
			i = len(f.Choices) - 1
		}
		if i >= 0 {
			f.Choices[i].On, f.Choices[i].Place = true, place+1
		}
	}
	if b.kind == page.FieldMembers || b.kind == page.FieldOrder { // those who are in it first, in their order
		slices.SortStableFunc(f.Choices, func(x, y page.Option) int {
			return cmp.Compare(cmp.Or(x.Place, math.MaxInt), cmp.Or(y.Place, math.MaxInt))
		})
	}
}

// sort gives each problem of the entry at a place of the list to its field; the others belong to no field.
func (k kind[T]) sort(problems config.Problems, at int, say func(config.Problem) page.Said) (fields map[string]page.Said, others []page.Said) {
	fields = map[string]page.Said{}
	prefix := k.name + "[" + strconv.Itoa(at) + "]."
	if k.alone {
		prefix = k.name + "."
	}
	for _, p := range problems {
		rest, ours := strings.CutPrefix(p.Path, prefix)
		name := ""
		if ours {
			name = k.fieldAt(rest)
		}
		if name == "" {
			others = append(others, say(p))
		} else if fields[name].Sentence == "" {
			fields[name] = say(p)
		}
	}
	return fields, others
}

// fieldAt names the field of a path within T: the one that is bound to the longest beginning of it.
func (k kind[T]) fieldAt(path string) (name string) {
	longest := -1
	for _, g := range k.groups {
		for _, b := range g.fields {
			fits := path == b.path || strings.HasPrefix(path, b.path+"[") || strings.HasPrefix(path, b.path+".")
			if fits && len(b.path) > longest {
				longest, name = len(b.path), b.name
			}
		}
	}
	return name
}

func text[T any, S ~string](name, path string, at func(*T) *S) binding[T] {
	return binding[T]{
		name: name, path: path, kind: page.FieldText,
		get: func(x *T) string { return string(*at(x)) },
		set: func(x *T, v string) string {
			v = strings.Join(strings.FieldsFunc(v, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
			if utf8.RuneCountInString(v) > mostText {
				return "long"
			}
			*at(x) = S(v)
			return ""
		},
	}
}

// mostText is how many letters a line of text may have.
const mostText = 200

// number is a text of digits that people may write with spaces.
func number[T any, S ~string](name, path string, at func(*T) *S) binding[T] {
	b := text(name, path, at)
	b.set = func(x *T, v string) string { *at(x) = S(strings.Map(digits, v)); return "" }
	return b
}

// secret is set and never shown; left empty it stays.
func secret[T any](name, path string, at func(*T) *config.Secret) binding[T] {
	return binding[T]{
		name: name, path: path, kind: page.FieldPassword,
		get: func(*T) string { return "" },
		set: func(x *T, v string) string {
			if v != "" {
				*at(x) = config.Secret(v)
			}
			return ""
		},
	}
}

func count[T any](name, path string, at func(*T) *int) binding[T] {
	return binding[T]{
		name: name, path: path, kind: page.FieldNumber,
		get: func(x *T) string { return strconv.Itoa(*at(x)) },
		set: func(x *T, v string) string {
			n, err := strconv.Atoi(cmp.Or(v, "0"))
			if err != nil {
				return "figure"
			}
			*at(x) = n
			return ""
		},
	}
}

func check[T any](name, path string, at func(*T) *bool) binding[T] {
	return binding[T]{
		name: name, path: path, kind: page.FieldCheck,
		get: func(x *T) string {
			if *at(x) {
				return "on"
			}
			return ""
		},
		set: func(x *T, v string) string { *at(x) = v != ""; return "" },
	}
}

// span is a length of time in seconds or minutes; nothing is none.
func span[T any](name, path string, unit time.Duration, at func(*T) *time.Duration) binding[T] {
	key := "unit.s"
	if unit == time.Minute {
		key = "unit.min"
	}
	return binding[T]{
		name: name, path: path, kind: page.FieldNumber, unit: key,
		get: func(x *T) string { return strconv.FormatFloat(float64(*at(x))/float64(unit), 'f', -1, 64) },
		set: func(x *T, v string) string {
			n, err := strconv.ParseFloat(strings.ReplaceAll(cmp.Or(v, "0"), ",", "."), 64)
			if err != nil || math.IsNaN(n) || math.Abs(n) > 1e6 {
				return "figure"
			}
			*at(x) = time.Duration(math.Round(n * float64(unit)))
			return ""
		},
	}
}

// choice is one of some texts, which the catalogue names under a prefix.
func choice[T any, S ~string](name, path, words string, among []string, at func(*T) *S) binding[T] {
	b := text(name, path, at)
	b.kind = page.FieldSelect
	b.choices = func(*config.Config, *T) (all []page.Option) {
		for _, id := range among {
			all = append(all, page.Option{ID: id, Key: words + id})
		}
		return all
	}
	return b
}

// place is a destination; empty is offered where nothing has a meaning of its own.
func place[T any](name, path string, empty bool, at func(*T) *string) binding[T] {
	b := text(name, path, at)
	b.kind = page.FieldPlace
	b.choices = func(c *config.Config, _ *T) []page.Option { return places(c, empty) }
	return b
}

// places are the destinations that a configuration has.
func places(c *config.Config, empty bool) (all []page.Option) {
	if empty {
		all = append(all, page.Option{Key: "place.none"})
	}
	add := func(kind, what, name string) {
		all = append(all, page.Option{ID: kind + ":" + what, Key: "place." + kind, Name: cmp.Or(name, what)})
	}
	for _, q := range c.Queues {
		add("queue", string(q.ID), q.Name)
	}
	for _, a := range c.Agents {
		add("ext", string(a.Extension), a.Name)
	}
	for _, m := range c.Voicemail.Boxes {
		add("voicemail", string(m.Number), "")
	}
	for _, x := range c.Conferences {
		add("conference", string(x.ID), x.Name)
	}
	for _, m := range c.Menus {
		add("menu", m.ID, m.Name)
	}
	for _, h := range c.Hours {
		add("hours", h.ID, h.Name)
	}
	for _, g := range c.Groups {
		add("group", g.ID, g.Name)
	}
	for _, p := range c.Prompts.List {
		all = append(all, sayOption(c, p.ID))
	}
	for _, name := range saidPlaces() {
		all = append(all, sayOption(c, name))
	}
	return append(all, page.Option{ID: "hangup", Key: "place.hangup"})
}

// ordering is in which order the entries of a list stand; those that a form did not show stay behind the others.
func ordering[T, E any](name string, choices func(*config.Config, *T) []page.Option, at func(*T) *[]E, id func(*E) string) binding[T] {
	return binding[T]{
		name: name, path: name, kind: page.FieldOrder, choices: choices,
		get: func(x *T) string {
			var ids []string
			for i := range *at(x) {
				ids = append(ids, id(&(*at(x))[i]))
			}
			return strings.Join(ids, ",")
		},
		set: func(x *T, v string) string {
			if strings.Contains(v, "=") {
				return "place"
			}
			place := map[string]int{}
			for i, id := range strings.Split(v, ",") {
				place[id] = i + 1
			}
			slices.SortStableFunc(*at(x), func(a, b E) int {
				return cmp.Compare(cmp.Or(place[id(&a)], math.MaxInt), cmp.Or(place[id(&b)], math.MaxInt))
			})
			return ""
		},
	}
}

// some is a list of ids, in an order where it matters.
func some[T any, S ~string](name, path, kind string, choices func(*config.Config, *T) []page.Option, at func(*T) *[]S) binding[T] {
	return binding[T]{
		name: name, path: path, kind: kind, choices: choices,
		get: func(x *T) string {
			var ids []string
			for _, id := range *at(x) {
				ids = append(ids, string(id))
			}
			return strings.Join(ids, ",")
		},
		set: func(x *T, v string) string {
			*at(x) = nil
			for _, id := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' }) {
				*at(x) = append(*at(x), S(id))
			}
			return ""
		},
	}
}
