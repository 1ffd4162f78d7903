package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/setup"
	"github.com/pronto-pbx/pronto/ui/view"
)

// The last screens: what callers hear, the test call, what is recorded, the recovery kit, and how to go live.

func showMessage(x *turn) {
	choices := x.extensions()
	if len(choices) == 0 {
		x.p.Notes = append(x.p.Notes, page.Said{Sentence: "setup.no_phone"})
		return
	}
	if call := x.call(); call != "" {
		x.p.Live, x.p.Trail = "/setup/live?call="+url.QueryEscape(string(call))+"&lang="+x.v.lang, x.trail(call)
		x.p.Call = string(call)
	}
	x.addForm(page.SetupForm{ID: "play", Do: "play", Key: "setup.message.form", Button: "setup.message.do", Fields: []page.Field{
		{Kind: page.FieldSelect, Name: "number", Key: "setup.f.at", Choices: choices},
	}})
}

// call is the call that a screen is about.
func (x *turn) call() tel.CallID {
	return tel.CallID(cmp.Or(x.v.PostForm.Get("call"), x.v.URL.Query().Get("call")))
}

func playMessage(x *turn) {
	call, sentence, err := x.Setup.Play(tel.Number(x.posted("number")))
	if !x.refused(sentence, err) {
		x.to = setupPath(x.step) + "?call=" + url.QueryEscape(string(call))
	}
}

// messageHeard tells whether somebody has picked up to hear it.
func messageHeard(x *turn) bool {
	t, known, _ := x.Setup.Trail(x.call())
	return x.call() != "" && known && t.Via != ""
}

// trail is the way of a call with names.
func (s *server) trail(call tel.CallID) *page.Trail {
	t, known, _ := s.Setup.Trail(call)
	if !known {
		t = view.Trail{Call: call}
	}
	return s.named(t)
}

func (s *server) named(t view.Trail) *page.Trail {
	c := s.Settings.Current()
	p := &page.Trail{Trail: t}
	for _, n := range t.Nodes() {
		x := page.TrailNode{Node: n}
		switch n.Key {
		case "line":
			if l, ok := s.Settings.Lines()[n.ID]; ok {
				x.Name = l.Name
			}
		case "queue":
			x.Name = nameOf(c, "queues", n.ID)
		default:
			x.Name = nameOf(c, "agents", n.ID)
		}
		p.Nodes = append(p.Nodes, x)
	}
	return p
}

func showTestCall(x *turn) {
	call := x.call()
	x.p.Live, x.p.Trail = "/setup/live?lang="+x.v.lang, x.trail(call)
	if call != "" {
		x.p.Live = "/setup/live?call=" + url.QueryEscape(string(call)) + "&lang=" + x.v.lang
		x.p.Call = string(call)
	}
	for _, q := range x.cfg.Queues {
		x.p.Found = append(x.p.Found, page.Finding{Level: "ok", Thing: q.Name, Says: page.Said{Sentence: "setup.queue.members", Args: []any{len(q.Agents)}}})
	}
	for _, t := range x.Setup.Tests() {
		if t.Number != "" {
			x.p.Notes = append(x.p.Notes, page.Said{Sentence: "setup.testcall.dial", Args: []any{t.Number}})
		}
	}
	if len(x.cfg.Queues) == 0 {
		x.p.Notes = append(x.p.Notes, page.Said{Sentence: "setup.no_queue"})
		return
	}
	for _, h := range x.cfg.Hours {
		for _, f := range x.Settings.Probe(x.ctx, []config.Change{{Path: "hours[" + h.ID + "]"}}) {
			if f.Says.Sentence == "probe.hours.closed" {
				x.p.Notes = append(x.p.Notes, page.Said{Sentence: "setup.testcall.closed", Args: []any{f.Thing}})
			}
		}
	}
	x.addForm(page.SetupForm{ID: "login", Do: "login", Key: "setup.login", Button: "setup.login.do", Plain: true})
	f := callMeForm(x.cfg.Queues[0].ID, x.extensions(), x.Setup.Setup.State().Mobile)
	f.Do, f.ID = "me", "me"
	x.addForm(f)
	x.addForm(page.SetupForm{ID: "look", Do: "look", Button: "setup.look", Plain: true})
}

// toWork logs in everybody whose telephone is here.
func toWork(x *turn) {
	ours, _ := x.Setup.Phones()
	n := 0
	for _, a := range x.cfg.Agents {
		if !slices.ContainsFunc(ours, func(p setup.Phone) bool { return p.Here && slices.Contains(a.Phones, p.ID) }) {
			continue
		}
		if err := x.Command(x.ctx, a.ID, "login", ""); err != nil {
			x.Log.Warn("somebody is not at work", "agent", a.ID, "err", err)
			continue
		}
		n++
	}
	if n == 0 {
		x.refused("setup.nobody_here", nil)
		return
	}
	x.p.Good = page.Said{Sentence: "setup.login.good", Args: []any{n}}
}

func testCallPassed(x *turn) bool {
	t, known, _ := x.Setup.Trail(x.call())
	return known && t.Passed()
}

func callMeForTest(x *turn) {
	if len(x.cfg.Queues) == 0 {
		x.refused("setup.no_queue", nil)
		return
	}
	if call := x.callMe(x.cfg.Queues[0].ID); call != "" {
		x.to = setupPath(x.step) + "?call=" + url.QueryEscape(string(call))
	}
}

// callMe has the box ring the number of the form; empty when it does not, which is shown then.
func (x *turn) callMe(queue tel.QueueID) tel.CallID {
	number := tel.Number(x.posted("at"))
	if x.posted("number") != "" {
		var ok bool
		if number, ok = x.phoneNumber("number"); !ok {
			return ""
		}
	}
	if number == "" {
		x.bad("number", "problem.missing")
		return ""
	}
	call, sentence, err := x.Setup.CallMe(queue, number, x.v.user.Agent)
	if x.refused(sentence, err) {
		return ""
	}
	return call
}

// callMeForm asks where the box shall ring.
func callMeForm(queue tel.QueueID, at []page.Option, mobile tel.Number) page.SetupForm {
	f := page.SetupForm{ID: "callme", Do: "call", Which: string(queue), Key: "callme.form", Button: "callme.do"}
	if len(at) > 0 {
		f.Fields = append(f.Fields, page.Field{Kind: page.FieldSelect, Name: "at", Key: "setup.f.at", Choices: at})
	} else {
		f.Fields = append(f.Fields, page.Field{Kind: page.FieldText, Name: "number", Key: "setup.f.called", Value: string(mobile)})
		return f
	}
	f.Fields = append(f.Fields, page.Field{Kind: page.FieldText, Name: "number", Key: "setup.f.called_instead"})
	return f
}

func showPrivacy(x *turn) {
	s := x.cfg.Supervision
	found := page.Finding{Level: "ok", Says: page.Said{Sentence: "setup.privacy.nobody_listens"}}
	if why := s.LegalBasis.Holds(time.Now()); why == "" {
		found = page.Finding{Level: "warn", Says: page.Said{Sentence: "setup.privacy.listening", Args: []any{s.LegalBasis.String()}}}
	}
	x.p.Found = append(x.p.Found, page.Finding{Level: "ok", Says: page.Said{Sentence: "setup.privacy.no_recording"}}, found)
	x.addForm(page.SetupForm{ID: "read", Do: "read", Key: "setup.privacy.form", Button: "setup.privacy.do"})
}

// readPrivacy notes that somebody has read what the box found about itself.
func readPrivacy(x *turn) { x.proved(page.Said{Sentence: "setup.privacy.good"}) }

func showSafety(x *turn) {
	made, confirmed, err := x.Setup.Kit()
	switch {
	case err != nil:
		x.Log.Error("the keys of the backups are not read", "err", err)
		x.p.Found = append(x.p.Found, page.Finding{Level: "error", Says: page.Said{Sentence: "setup.kit.unread", Detail: err.Error()}})
	case made.IsZero():
		x.p.Found = append(x.p.Found, page.Finding{Level: "warn", Says: page.Said{Sentence: "setup.kit.none"}})
	case confirmed.IsZero():
		x.p.Found = append(x.p.Found, page.Finding{Level: "warn", Says: page.Said{Sentence: "setup.kit.unconfirmed"}})
	default:
		x.p.Found = append(x.p.Found, page.Finding{Level: "ok", Says: page.Said{Sentence: "setup.kit.confirmed"}})
	}
	if !x.v.user.May(access.Own) {
		x.p.Notes = append(x.p.Notes, page.Said{Sentence: "setup.kit.owner"})
		return
	}
	x.link("setup.link.backup", "/backup")
	key := "setup.kit.make"
	if !made.IsZero() {
		key = "setup.kit.again"
	}
	private := x.secrecy("setup.kit.private")
	if x.p.Kit == "" && private {
		x.addForm(page.SetupForm{ID: "kit", Do: "kit", Key: key, Button: key + ".do", Plain: !made.IsZero()})
	}
	if !made.IsZero() && confirmed.IsZero() && private {
		x.addForm(page.SetupForm{ID: "confirm", Do: "confirm", Key: "setup.kit.confirm", Button: "setup.kit.confirm.do", Fields: []page.Field{
			{Kind: page.FieldText, Name: "secret", Key: "setup.f.secret", Must: true},
		}})
	}
}

func kitConfirmed(x *turn) bool {
	_, confirmed, err := x.Setup.Kit()
	return err == nil && !confirmed.IsZero()
}

// makeKit shows the secret of a new kit, the only time that it is seen.
func makeKit(x *turn) {
	if !x.v.user.May(access.Own) || !x.v.unheard() {
		x.refused("setup.kit.owner", nil)
		return
	}
	secret, err := x.Setup.NewKit()
	if !x.refused("", err) {
		x.Accounts.Note(access.DeedKitMade, x.v.user.Name, "", x.v.from)
		x.p.Kit = secret
	}
}

// confirmKit is told the secret itself, which nobody may overhear.
func confirmKit(x *turn) {
	if !x.v.user.May(access.Own) || !x.secrecy("setup.kit.private") {
		x.refused("setup.kit.owner", nil)
		return
	}
	if err := x.Setup.ConfirmKit(x.v.PostForm.Get("secret")); err != nil {
		x.missed("setup.kit.wrong")
		x.p.Said.Detail = err.Error()
		return
	}
	if !kitConfirmed(x) {
		x.missed("setup.kit.unread")
		return
	}
	x.Accounts.Note(access.DeedKitConfirmed, x.v.user.Name, "", x.v.from)
	x.proved(page.Said{Sentence: "setup.kit.good"})
}

// kitFile gives the secret that the screen shows as a file, to be printed or put on a stick.
func (x *turn) kitFile() {
	secret := x.v.PostForm.Get("secret")
	if !x.v.user.May(access.Own) || !x.v.unheard() || len(secret) > 200 || oneLine(secret) != secret {
		x.server.refuse(x.w, x.v, http.StatusForbidden, "setup.kit.owner")
		return
	}
	x.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	x.w.Header().Set("Content-Disposition", `attachment; filename="pronto-recovery-kit.txt"`)
	x.w.Header().Set("Cache-Control", "no-store")
	_, _ = x.w.Write([]byte(x.Name() + "\r\n" + x.sayIn("setup.kit.text") + "\r\n\r\n" + secret + "\r\n"))
}

func showGoLive(x *turn) {
	state := x.Setup.Setup.State()
	for _, d := range state.Debts() {
		if d.ID != "setup."+string(setup.GoLive) {
			x.p.Owed = append(x.p.Owed, d)
		}
	}
	x.p.Notes = append(x.p.Notes, consequences(state.Plugged)...)
	x.p.Notes = append(x.p.Notes, page.Said{Sentence: "golive.back." + cmp.Or(state.Plugged.Where, setup.PlugNone)})
	x.addForm(page.SetupForm{ID: "finish", Do: "finish", Key: "setup.finish", Button: "setup.finish.do"})
}

// finishSetup ends the set-up, if the kit is in somebody's hands. What is owed stays owed.
func finishSetup(x *turn) {
	if x.tell(setup.Finish{}) && x.tell(setup.Proved{Step: setup.GoLive, By: x.v.user.Name}) {
		x.to = "/"
	}
}
