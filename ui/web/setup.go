package web

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/setup"
)

// screen is what is particular of one step of the set-up.
type screen struct {
	// show fills the page with what the box sees now.
	show func(x *turn)
	// do are what the forms of the screen do, by the value of their field "do".
	do map[string]func(x *turn)
	// works asks the box whether the step is done; nil: only a form does it.
	works func(x *turn) bool
}

// screens are those of every step.
func screens() map[setup.Step]screen {
	return map[setup.Step]screen{
		setup.Welcome: {showWelcome, map[string]func(*turn){"begin": beginSetup}, nil},
		setup.You:     {showYou, map[string]func(*turn){"you": sayYou}, nil},
		setup.Place:   {showPlace, map[string]func(*turn){"place": sayPlace}, nil},
		setup.Network: {showNetwork, map[string]func(*turn){"look": lookAtNetwork}, nil},
		setup.Today:   {showToday, map[string]func(*turn){"today": sayToday}, nil},
		setup.Lines: {showLines, map[string]func(*turn){
			"modem": takeModem, "carrier": chooseCarrier, "account": tryAccount, "look": askAgainNow,
		}, aLineWorks},
		setup.LineTest: {showLineTest, map[string]func(*turn){"call": testLine, "look": askAgainNow}, lineTested},
		setup.People:   {showPeople, map[string]func(*turn){"people": addPeople}, anybody},
		setup.Phones:   {showPhones, map[string]func(*turn){"ring": ringPhone, "give": givePhone, "look": askAgainNow}, aPhoneIsHere},
		setup.Queue:    {showQueue, map[string]func(*turn){"queue": makeQueue}, aQueueAnswers},
		setup.Lamps:    {showLamps, map[string]func(*turn){"blink": blinkLamp, "give": giveLamp}, lampsGiven},
		setup.Message:  {showMessage, map[string]func(*turn){"play": playMessage}, messageHeard},
		setup.TestCall: {showTestCall, map[string]func(*turn){"login": toWork, "me": callMeForTest, "look": askAgainNow}, testCallPassed},
		setup.Privacy:  {showPrivacy, map[string]func(*turn){"read": readPrivacy}, nil},
		setup.Safety:   {showSafety, map[string]func(*turn){"kit": makeKit, "confirm": confirmKit}, kitConfirmed},
		setup.GoLive:   {showGoLive, map[string]func(*turn){"finish": finishSetup}, nil},
	}
}

// setupFor is how long a step may take: several log-ins at a carrier, one after the other.
const setupFor = 90 * time.Second

// turn is one visit of a screen.
type turn struct {
	*server
	at     screen
	v      *visit
	w      http.ResponseWriter
	ctx    context.Context
	step   setup.Step
	cfg    *config.Config // in force; never to be changed
	p      page.Setup
	status int
	wrong  map[string]page.Said // by field
	to     string               // where the visitor is sent instead of seeing the screen; empty: nowhere
}

// setupAt is the turn of a request; nil when there is no such screen, which was answered then.
func (s *server) setupAt(w http.ResponseWriter, v *visit) *turn {
	n, err := strconv.Atoi(v.PathValue("step"))
	step, ok := setup.At(n)
	if err != nil || !ok {
		s.refuse(w, v, http.StatusNotFound, "missing")
		return nil
	}
	return &turn{server: s, at: screens()[step], v: v, w: w, ctx: v.Context(), step: step, cfg: s.Settings.Current(), status: http.StatusOK, wrong: map[string]page.Said{}}
}

// setupHere sends a browser to where the set-up goes on.
func (s *server) setupHere(w http.ResponseWriter, v *visit) {
	redirect(w, v, setupPath(s.Setup.Setup.State().Here()))
}

func setupPath(step setup.Step) string { return "/setup/" + strconv.Itoa(setup.Number(step)) }

func (s *server) setupStep(w http.ResponseWriter, v *visit) {
	if x := s.setupAt(w, v); x != nil {
		x.answer()
	}
}

// setupDo does what a form of a screen asks for. What the box has seen then is what counts: a step is never done
// because somebody says so.
func (s *server) setupDo(w http.ResponseWriter, v *visit) {
	x := s.setupAt(w, v)
	if x == nil || !s.form(w, v) {
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), setupFor)
	defer cancel()
	x.ctx = ctx
	switch do := v.PostForm.Get("do"); {
	case do == "later":
		x.tell(setup.Later{})
		x.to = "/"
	case do == "on":
		x.on()
	case do == "file" && x.step == setup.Safety:
		x.kitFile()
		return
	case x.at.do[do] != nil:
		x.at.do[do](x)
	default:
		s.refuse(w, v, http.StatusBadRequest, "form.unread")
		return
	}
	x.answer()
}

// on goes to the next step. If the box sees that this one works it is done, else it is owed.
func (x *turn) on() {
	if x.at.works != nil && x.at.works(x) {
		x.tell(setup.Proved{Step: x.step, By: x.v.user.Name})
	} else {
		x.tell(setup.Left{Step: x.step, By: x.v.user.Name})
	}
	x.to = setupPath(setup.After(x.step))
}

// askAgainNow asks the box now whether the step is done.
func askAgainNow(x *turn) {
	if x.at.works(x) {
		x.proved(page.Said{Sentence: "setup." + string(x.step) + ".good"})
		return
	}
	x.missed("setup." + string(x.step) + ".bad")
}

// tell gives the set-up an event; a refusal or a fault is shown.
func (x *turn) tell(event any) (done bool) {
	sentence, err := x.Setup.Setup.Tell(event, time.Now())
	switch {
	case err != nil:
		x.Log.Error("the set-up is not kept", "err", err)
		x.p.Said, x.status = x.sentence("settings.disk"), http.StatusInternalServerError
		x.p.Said.Detail = err.Error()
	case sentence != "":
		x.p.Said, x.status = x.sentence(sentence), http.StatusConflict
	default:
		return true
	}
	return false
}

// proved notes that the step's probe has succeeded, and says so.
func (x *turn) proved(good page.Said) {
	if x.tell(setup.Proved{Step: x.step, By: x.v.user.Name}) {
		x.p.Good = good
	}
}

// missed notes that the step's probe has failed, and says why.
func (x *turn) missed(sentence string, args ...any) {
	if x.tell(setup.Missed{Step: x.step, By: x.v.user.Name, Sentence: sentence}) {
		x.p.Said, x.status = x.sentence(sentence, args...), http.StatusConflict
	}
}

// refused shows a sentence that says why nothing was done.
func (x *turn) refused(sentence string, err error) (no bool) {
	switch {
	case err != nil:
		x.Log.Error("a step of the set-up failed", "step", x.step, "err", err)
		x.p.Said, x.status = x.sentence("fault"), http.StatusInternalServerError
		x.p.Said.Detail = err.Error()
	case sentence != "":
		x.p.Said, x.status = x.sentence(sentence), http.StatusConflict
	default:
		return false
	}
	return true
}

// bad marks a field of the form that was posted.
func (x *turn) bad(field, sentence string) {
	x.wrong[field] = page.Said{Sentence: sentence, Where: field}
	x.p.Said, x.status = x.sentence("form.wrong"), http.StatusUnprocessableEntity
}

// next sends the visitor on.
func (x *turn) next() {
	if x.p.Said.Sentence == "" {
		x.to = setupPath(setup.After(x.step))
	}
}

// apply makes an edit the configuration in force, or says what is wrong with it.
func (x *turn) apply(edit func(*config.Config)) (changes []config.Change, ok bool) {
	c := x.cfg.Clone()
	edit(&c)
	if problems := c.Check(); len(problems) > 0 {
		for _, p := range problems {
			x.p.Others = append(x.p.Others, x.problemAt(p))
		}
		x.p.Said, x.status = x.sentence("form.wrong"), http.StatusUnprocessableEntity
		return nil, false
	}
	done, no, err := x.Settings.Apply(x.ctx, edit, by(x.v), "set-up: "+string(x.step))
	if x.refused(no.Sentence, err) {
		x.p.Said.Detail = no.Detail
		return nil, false
	}
	x.cfg = x.Settings.Current()
	return done.Changes, true
}

// answer shows the screen, or sends the visitor on.
func (x *turn) answer() {
	if x.to != "" && x.p.Said.Sentence == "" {
		redirect(x.w, x.v, x.to)
		return
	}
	now := time.Now()
	state := x.Setup.Setup.State()
	x.p.Reader, x.p.Box, x.p.Key, x.p.Number = x.reader(x.v), x.Name(), "setup."+string(x.step), setup.Number(x.step)
	x.p.Reader.Path = setupPath(x.step)
	x.p.Last = x.step == setup.GoLive
	x.p.Mark = page.SetupMark{How: string(state.Marks[x.step].How), At: state.Marks[x.step].At}
	for _, s := range setup.Steps() {
		x.p.Steps = append(x.p.Steps, page.SetupStep{
			Key: "setup." + string(s), Path: setupPath(s), How: string(state.Marks[s].How), Here: s == x.step,
		})
		if state.Marks[s].How == "" {
			x.p.Minutes += setup.Seconds(s)
		}
	}
	x.p.Minutes = (x.p.Minutes + 59) / 60
	x.at.show(x)
	x.elsewhere()
	html, err := x.pages[x.v.lang].Setup(x.p, now)
	x.server.show(x.w, x.status, html, err)
}

// link leads to a page with more of the same, where this program has it and the visitor may see it.
func (x *turn) link(key, path string) {
	for _, r := range x.routes() {
		if r.pattern == "GET "+path && x.v.user.May(r.right) {
			x.p.Links = append(x.p.Links, page.Link{Key: key, Path: path})
		}
	}
}

// elsewhere shows beside the forms what is wrong with fields that none of them has now.
func (x *turn) elsewhere() {
	for _, name := range slices.Sorted(maps.Keys(x.wrong)) {
		x.p.Others = append(x.p.Others, x.wrong[name])
	}
}

// addForm adds a form to the screen.
func (x *turn) addForm(f page.SetupForm) {
	f.Action, f.Lang = setupPath(x.step), x.v.lang
	for i := range f.Fields {
		field := &f.Fields[i]
		field.Was = field.Value
		if f.Which != "" {
			field.Of = f.Which + "-"
		}
		if x.v.PostForm.Get("do") == f.Do && x.v.PostForm.Get("which") == f.Which && len(x.v.PostForm[field.Name]) > 0 && field.Kind != page.FieldPassword {
			field.Value = x.v.PostForm.Get(field.Name)
			for k := range field.Choices {
				field.Choices[k].On = slices.Contains(x.v.PostForm[field.Name], field.Choices[k].ID)
			}
		}
		if x.v.PostForm.Get("do") == f.Do && x.v.PostForm.Get("which") == f.Which {
			field.Wrong = x.wrong[field.Name]
			delete(x.wrong, field.Name)
		}
	}
	x.p.Forms = append(x.p.Forms, f)
}

// posted is a field of the form, as a person typed it.
func (x *turn) posted(name string) string { return oneLine(x.v.PostForm.Get(name)) }

// phoneNumber reads a number outside from a field; false when it is none, which is shown then.
func (x *turn) phoneNumber(field string) (tel.Number, bool) {
	text := strings.Map(digits, x.posted(field))
	n, err := tel.ParseNumber(text)
	wide, ok := n.E164()
	switch {
	case text == "":
		x.bad(field, "problem.missing")
	case err != nil || !ok || n.Emergency():
		x.bad(field, "setup.number_bad")
	default:
		return wide, true
	}
	return "", false
}

// peopleToChoose are the people of the office as choices.
func (x *turn) peopleToChoose(chosen tel.AgentID) []page.Option {
	all := []page.Option{{Key: "setup.nobody", On: chosen == ""}}
	for _, a := range x.cfg.Agents {
		all = append(all, page.Option{ID: string(a.ID), Name: strings.TrimSpace(a.Name + " " + string(a.Extension)), On: a.ID == chosen})
	}
	return all
}

// extensions are the numbers of people who have a phone, as choices.
func (x *turn) extensions() (all []page.Option) {
	for _, a := range x.cfg.Agents {
		if len(a.Phones) > 0 && a.Extension != "" {
			all = append(all, page.Option{ID: string(a.Extension), Name: strings.TrimSpace(a.Name + " " + string(a.Extension)), On: x.v.user.Agent == a.ID})
		}
	}
	return all
}

// agent is a person of the configuration whom a field names; nil: none.
func (x *turn) agent(field string) *config.Agent {
	id := tel.AgentID(x.v.PostForm.Get(field))
	for i := range x.cfg.Agents {
		if x.cfg.Agents[i].ID == id {
			return &x.cfg.Agents[i]
		}
	}
	return nil
}

// secrecy tells whether a secret may be shown to the visitor: not over plain HTTP through a network. Then the screen
// says by a sentence of the catalogue what is missing, and leads to where it would be shown.
func (x *turn) secrecy(sentence string) bool {
	if x.v.unheard() {
		return true
	}
	x.p.Unshown, x.p.Private = sentence, x.overTLS(x.v, setupPath(x.step))
	return false
}
