package web

import (
	"net/http"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// conferenceWishes are what a supervisor may decide about a conference.
var conferenceWishes = []string{"mute", "unmute", "remove", "lock", "unlock", "mute_all", "unmute_all", "end", "record", "record_stop"}

// conferenceKind is the form of a conference room: who comes in, what is heard there.
func conferenceKind() kind[config.Conference] {
	type r = config.Conference
	return kind[r]{
		name: "conferences",
		of:   func(c *config.Config) *[]r { return &c.Conferences },
		id:   func(x *r) string { return string(x.ID) },
		groups: []group[r]{
			{"who", []binding[r]{
				must(text("name", "name", func(x *r) *string { return &x.Name })),
				number("number", "number", func(x *r) *tel.Number { return &x.Number }),
				count("limit", "limit", func(x *r) *int { return &x.Limit }),
			}},
			{"door", []binding[r]{
				secret("pin", "pin", func(x *r) *config.Secret { return &x.PIN }),
				secret("leader_pin", "leader_pin", func(x *r) *config.Secret { return &x.LeaderPIN }),
				withoutCode(),
			}},
			{"leader", []binding[r]{
				check("await", "await", func(x *r) *bool { return &x.Await }),
				check("end_after", "end_after", func(x *r) *bool { return &x.EndAfter }),
			}},
			{"sound", []binding[r]{
				check("muted", "muted", func(x *r) *bool { return &x.Muted }),
				check("quiet", "quiet", func(x *r) *bool { return &x.Quiet }),
				check("no_music", "no_music", func(x *r) *bool { return &x.NoMusic }),
			}},
		},
	}
}

// withoutCode takes the codes of a room away: a code that is left empty stays as it is.
func withoutCode() binding[config.Conference] {
	return binding[config.Conference]{
		name: "open", path: "open", kind: page.FieldCheck,
		get: func(*config.Conference) string { return "" },
		set: func(x *config.Conference, v string) string {
			if v != "" {
				x.PIN, x.LeaderPIN = "", ""
			}
			return ""
		},
	}
}

func conferenceEditor() editor[config.Conference] {
	return editor[config.Conference]{
		kind: conferenceKind(), title: "conference.edit", fresh: "conference.new", at: "/conferences",
		blank: func(*config.Config) config.Conference { return config.Conference{Limit: config.MostInConference} },
		born: func(c *config.Config, x *config.Conference) {
			x.ID = tel.ConferenceID(freeID(x.Name, "conference", func(id string) bool {
				return slices.ContainsFunc(c.Conferences, func(r config.Conference) bool { return string(r.ID) == id })
			}))
		},
	}
}

// conferences shows the rooms and who is in them. It is read anew by itself while somebody is.
func (s *server) conferences(w http.ResponseWriter, v *visit) {
	p := page.Conferences{}
	p.Rooms = s.Conferences()
	if slices.ContainsFunc(p.Rooms, func(c page.Conference) bool { return len(c.Members) > 0 }) {
		w.Header().Set("Refresh", conferencesAgain)
	}
	s.conferencesPage(w, v, http.StatusOK, p)
}

// conferencesAgain is after how many seconds a browser reads the page anew.
const conferencesAgain = "5"

func (s *server) conferencesPage(w http.ResponseWriter, v *visit, status int, p page.Conferences) {
	p.Reader, p.Box, p.Change = s.reader(v), s.Name(), v.user.Role.May(access.Configure)
	p.Reader.Path = "/conferences"
	html, err := s.pages[v.lang].Conferences(p, time.Now())
	s.show(w, status, html, err)
}

// conferenceOrder carries out what a supervisor has decided about a conference.
func (s *server) conferenceOrder(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	o := Order{Do: "conference", With: v.PathValue("id"), Wish: v.PostForm.Get("do"), Call: tel.CallID(v.PostForm.Get("call"))}
	if !slices.Contains(conferenceWishes, o.Wish) {
		s.refuse(w, v, http.StatusBadRequest, "form.unread")
		return
	}
	s.order(w, v, o, "/conferences", func(said page.Said) {
		s.conferencesPage(w, v, http.StatusConflict, page.Conferences{Said: said, Rooms: s.Conferences()})
	})
}
