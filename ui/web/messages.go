package web

import (
	"cmp"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
	"github.com/pronto-pbx/pronto/ui/voice"
)

const (
	// soundLimit is the largest file of a sound, in bytes: five minutes of a studio's stereo.
	soundLimit = 64 << 20
	// soundPatience is how long a file may take to arrive, and to be made a sound.
	soundPatience = 3 * time.Minute
	// ownSounds stands in a path where a sentence of the box has its language.
	ownSounds = "own"
)

// messageKind is the name and the number of an announcement; its sound is kept apart from the configuration.
func messageKind() kind[config.Prompt] {
	type p = config.Prompt
	return kind[p]{
		name: "prompts.list",
		of:   func(c *config.Config) *[]p { return &c.Prompts.List },
		id:   func(x *p) string { return x.ID },
		groups: []group[p]{{"who", []binding[p]{
			must(text("name", "name", func(x *p) *string { return &x.Name })),
			must(number("number", "number", func(x *p) *tel.Number { return &x.Number })),
		}}},
	}
}

func messageEditor() editor[config.Prompt] {
	return editor[config.Prompt]{
		kind: messageKind(), title: "message.edit", fresh: "message.new", at: "/messages/name", back: "/messages",
		blank: func(c *config.Config) config.Prompt {
			n := 1
			for slices.ContainsFunc(c.Prompts.List, func(p config.Prompt) bool { return string(p.Number) == strconv.Itoa(n) }) {
				n++
			}
			return config.Prompt{Number: tel.Number(strconv.Itoa(n))}
		},
		born: func(c *config.Config, x *config.Prompt) {
			x.ID = freeID(strings.ReplaceAll(x.Name, ".", ""), "message", func(id string) bool {
				return slices.ContainsFunc(c.Prompts.List, func(p config.Prompt) bool { return p.ID == id })
			})
		},
	}
}

// messages lists what the box says.
func (s *server) messages(w http.ResponseWriter, v *visit) {
	c := s.drafted(v)
	m := page.Messages{Reader: s.reader(v), Box: s.Name()}
	for _, p := range c.Prompts.List {
		_, there := s.Voice.Sound(p.ID)
		x := page.Message{Name: cmp.Or(p.Name, p.ID), Path: "/messages/own/" + p.ID, None: !there}
		if there {
			x.Sound = "/messages/sound/own/" + p.ID
		}
		m.Own = append(m.Own, x)
	}
	for _, g := range config.Sentences() {
		group := page.MessageGroup{Key: "messages." + g.Key, Open: g.Key == "callers"}
		for _, name := range g.Names {
			_, own := s.Voice.Sound(v.lang + "/" + name)
			x := page.Message{Name: cmp.Or(s.Voice.Text(v.lang, name), name), Path: "/messages/sentence/" + name, Own: own}
			if !g.PartOfASentence() {
				x.Sound = soundPath(v.lang, name, own)
			}
			group.Messages = append(group.Messages, x)
		}
		m.Groups = append(m.Groups, group)
	}
	html, err := s.pages[v.lang].Messages(m, time.Now())
	s.show(w, http.StatusOK, html, err)
}

func soundPath(lang, name string, own bool) string {
	path := "/messages/sound/" + lang + "/" + name
	if !own {
		path += "?box=1"
	}
	return path
}

// message shows one message, which the path names: its sounds, and how to make others.
func (s *server) message(w http.ResponseWriter, v *visit) {
	lang, name := ownSounds, v.PathValue("id")
	if strings.HasPrefix(v.URL.Path, "/messages/sentence/") {
		lang, name = v.lang, v.PathValue("name")
	}
	if _, ok := s.soundOf(v, lang, name); !ok {
		s.refuse(w, v, http.StatusNotFound, "gone")
		return
	}
	a := page.Announcement{Taken: taken(v.URL.Query())}
	if who := v.URL.Query().Get("rings"); who != "" {
		c := s.drafted(v)
		a.Rings = nameOf(&c, "agents", who)
	}
	s.messagePage(w, v, http.StatusOK, lang, name, a)
}

func (s *server) messagePage(w http.ResponseWriter, v *visit, status int, lang, name string, a page.Announcement) {
	c := s.drafted(v)
	a.Reader, a.Box = s.reader(v), s.Name()
	a.Reader.Path, a.Title = messagePath(lang, name), nameOf(&c, "prompts.list", name)
	a.Synth, a.Most = s.Voice.Speak != nil, soundLimit
	for _, x := range c.Agents {
		if len(x.Phones) > 0 {
			a.People = append(a.People, page.Option{ID: string(x.ID), Name: cmp.Or(x.Name, string(x.ID)), On: x.ID == v.user.Agent})
		}
	}
	if lang == ownSounds {
		a.Edit = "/messages/name/" + name
		a.Takes = []page.Take{s.take(ownSounds, name)}
	} else {
		a.Title = cmp.Or(s.Voice.Text(v.lang, name), name)
		for _, l := range s.Voice.Languages {
			a.Takes = append(a.Takes, s.take(l, name))
		}
		slices.SortStableFunc(a.Takes, func(x, y page.Take) int { return cmp.Compare(y.Tongue, x.Tongue) }) // Italian first
	}
	html, err := s.pages[v.lang].Announcement(a, time.Now())
	s.show(w, status, html, err)
}

// take is a sound as the page of its message shows it.
func (s *server) take(lang, name string) page.Take {
	t := page.Take{ID: lang, Path: "/messages/sound/" + lang + "/" + name, Most: voice.MaxText}
	if lang != ownSounds {
		t.Lang, t.Tongue, t.BuiltIn = "lang."+lang, lang, true
		t.Text = s.Voice.Text(lang, name)
		t.Written = t.Text
	}
	sound, own := s.Voice.Sound(soundID(lang, name))
	t.Own, t.None = own, !own && !t.BuiltIn
	t.Undo, t.Length, t.Changed = sound.Before, sound.Length, sound.Changed
	return t
}

// soundID names a sound as voice.Port does.
func soundID(lang, name string) string {
	if lang == ownSounds {
		return name
	}
	return lang + "/" + name
}

func messagePath(lang, name string) string {
	if lang == ownSounds {
		return "/messages/own/" + name
	}
	return "/messages/sentence/" + name
}

// soundOf is the sound that a language, or ownSounds, and a name mean; false where nothing is called so.
func (s *server) soundOf(v *visit, lang, name string) (id string, ok bool) {
	if lang == ownSounds {
		c := s.drafted(v)
		return name, slices.ContainsFunc(c.Prompts.List, func(p config.Prompt) bool { return p.ID == name })
	}
	return soundID(lang, name), slices.Contains(s.Voice.Languages, lang) && config.IsSentence(name)
}

// sound is a sound as a browser plays it.
func (s *server) sound(w http.ResponseWriter, v *visit) {
	id, ok := s.soundOf(v, v.PathValue("lang"), v.PathValue("name"))
	if !ok {
		http.NotFound(w, v.Request)
		return
	}
	body, err := s.Voice.Play(id, v.URL.Query().Get("box") == "")
	if err != nil {
		s.Log.Info("a sound cannot be played", "sound", id, "err", err)
		http.NotFound(w, v.Request)
		return
	}
	w.Header().Set("Content-Type", "audio/wav")
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, v.Request, "", time.Time{}, strings.NewReader(string(body)))
}

// change is what the routes that change a sound have in common: which it is, and what is said afterwards.
func (s *server) change(do func(v *visit, id, lang, name string) (to url.Values, no settings.Refusal, err error)) func(http.ResponseWriter, *visit) {
	return func(w http.ResponseWriter, v *visit) {
		lang, name := v.PathValue("lang"), v.PathValue("name")
		id, ok := s.soundOf(v, lang, name)
		if !ok {
			s.refuse(w, v, http.StatusNotFound, "gone")
			return
		}
		if v.ContentLength > soundLimit {
			w.Header().Set("Connection", "close") // the rest is not read
			s.changed(w, v, lang, name, nil, settings.Refusal{Sentence: "voice.large"}, nil)
			return
		}
		v.Body = http.MaxBytesReader(w, v.Body, soundLimit)
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(soundPatience)) // of a test there is none
		to, no, err := do(v, id, lang, name)
		s.changed(w, v, lang, name, to, no, err)
	}
}

func (s *server) changed(w http.ResponseWriter, v *visit, lang, name string, to url.Values, no settings.Refusal, err error) {
	_, large := errors.AsType[*http.MaxBytesError](err)
	status := http.StatusUnprocessableEntity
	switch {
	case large || no.Sentence == "voice.large":
		no, status = settings.Refusal{Sentence: "voice.large"}, http.StatusRequestEntityTooLarge
	case err != nil && v.Context().Err() == nil:
		s.Log.Warn("a sound is not taken", "sound", soundID(lang, name), "err", err)
		no = settings.Refusal{Sentence: "voice.unread", Detail: err.Error()}
	case no.Sentence == "":
		path := messagePath(lang, name) + "?" + to.Encode()
		if recorded(v) {
			s.tell(w, v, http.StatusOK, map[string]string{"to": path + "&lang=" + v.lang})
			return
		}
		redirect(w, v, strings.TrimSuffix(path, "?"))
		return
	}
	said := s.sentence(no.Sentence)
	said.Detail = no.Detail
	if recorded(v) {
		s.tell(w, v, status, map[string]string{"error": s.pages[v.lang].Say(said)})
		return
	}
	s.messagePage(w, v, status, lang, name, page.Announcement{Said: said})
}

// recorded reports what record.js sends: the sound alone.
func recorded(v *visit) bool { return strings.HasPrefix(v.Header.Get("Content-Type"), "audio/") }

// takeSound makes a sound of a file, or of what the browser has recorded. The file's name means nothing.
func (s *server) takeSound(v *visit, id, _, _ string) (url.Values, settings.Refusal, error) {
	from := io.Reader(v.Body)
	if !recorded(v) {
		part, err := fileOf(v)
		switch {
		case errors.Is(err, errNoFile):
			return nil, settings.Refusal{Sentence: "voice.none"}, nil
		case err != nil:
			return nil, settings.Refusal{}, err
		}
		from = part
	}
	made, no, err := s.Voice.Take(v.Context(), id, from, by(v))
	return told(made), no, err
}

var errNoFile = errors.New("no file was chosen")

// fileOf is the file of an upload, to be read as it arrives.
func fileOf(v *visit) (io.Reader, error) {
	parts, err := v.MultipartReader()
	if err != nil {
		return nil, errNoFile
	}
	for {
		part, err := parts.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil, errNoFile
		case err != nil:
			return nil, err
		case part.FormName() == "file" && part.FileName() != "":
			return part, nil
		}
	}
}

// speak has the synthesiser say what was written.
func (s *server) speak(v *visit, id, lang, _ string) (url.Values, settings.Refusal, error) {
	v.Body = http.MaxBytesReader(nil, v.Body, formLimit)
	if err := v.ParseForm(); err != nil {
		return nil, settings.Refusal{}, err
	}
	text := strings.Join(strings.Fields(strings.ToValidUTF8(v.PostForm.Get("text"), "")), " ")
	if lang == ownSounds {
		lang = v.PostForm.Get("tongue")
	}
	switch {
	case s.Voice.Speak == nil || !slices.Contains(s.Voice.Languages, lang):
		return nil, settings.Refusal{Sentence: "voice.synthesiser"}, nil
	case text == "" || len([]rune(text)) > voice.MaxText:
		return nil, settings.Refusal{Sentence: "voice.text"}, nil
	}
	made, no, err := s.Voice.Speak(v.Context(), id, lang, text, by(v))
	return told(made), no, err
}

// ring lets the phones of a person ring, to record there.
func (s *server) ring(v *visit, id, _, _ string) (url.Values, settings.Refusal, error) {
	v.Body = http.MaxBytesReader(nil, v.Body, formLimit)
	if err := v.ParseForm(); err != nil {
		return nil, settings.Refusal{}, err
	}
	person := v.PostForm.Get("person")
	if no := s.Voice.Ring(tel.AgentID(person), id, by(v)); no != "" {
		return nil, settings.Refusal{Sentence: no}, nil
	}
	return url.Values{"rings": {person}}, settings.Refusal{}, nil
}

// removeSound gives a sentence of the box its own sound again.
func (s *server) removeSound(v *visit, id, _, _ string) (url.Values, settings.Refusal, error) {
	no, err := s.Voice.Remove(id, by(v))
	return nil, no, err
}

// undoSound brings back what was before the last change of a sound.
func (s *server) undoSound(v *visit, id, _, _ string) (url.Values, settings.Refusal, error) {
	no, err := s.Voice.Undo(id, by(v))
	return nil, no, err
}

// told is what was made of a sound as the next page is told it.
func told(t voice.Taken) url.Values {
	v := url.Values{"length": {tenths(t.Length.Seconds())}, "cut": {tenths(t.Cut.Seconds())}, "raised": {tenths(t.Raised)}}
	if t.Clipped {
		v.Set("clipped", "1")
	}
	return v
}

func tenths(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) }

// taken reads it again; nil where nothing was made.
func taken(q url.Values) *page.Taken {
	read := func(name string) float64 {
		x, err := strconv.ParseFloat(q.Get(name), 64)
		if err != nil || math.Abs(x) > 1000 || math.IsNaN(x) {
			return 0
		}
		return x
	}
	if read("length") <= 0 {
		return nil
	}
	t := &page.Taken{Seconds: tenths(read("length")), Clipped: q.Get("clipped") != ""}
	if cut := read("cut"); cut >= 0.1 {
		t.Cut = tenths(cut)
	}
	switch raised := read("raised"); {
	case raised >= 1:
		t.Raised = tenths(raised)
	case raised <= -1:
		t.Lowered = tenths(-raised)
	}
	return t
}
