package web

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// route is one path of the page.
type route struct {
	pattern string
	right   access.Right
	serve   func(http.ResponseWriter, *visit)
	// inTheClear lets the route be used over plain HTTP although the owner wants HTTPS.
	inTheClear bool
}

// routes is every path with the right that it demands. Nothing else is served.
func (s *server) routes() []route {
	return []route{
		{"GET /{$}", access.See, s.office, false},
		{"GET /live", access.See, s.live, false},
		{"GET /codes", access.See, s.codes, false},
		{"GET /api/now", access.Know, s.now, false},

		{"POST /supervise", access.Supervise, s.supervise, false},
		{"GET /waiting/{call}", access.Supervise, s.caller, false},
		{"POST /waiting/{call}/move", access.Supervise, s.moveCaller, false},
		{"POST /waiting/{call}/assign", access.Supervise, s.assignCaller, false},
		{"GET /callbacks", access.Know, s.callbacks, false},
		{"GET /callbacks/{callback}", access.Supervise, s.dropping, false},
		{"POST /callbacks/{callback}/drop", access.Supervise, s.dropCallback, false},
		{"GET /calls", access.Supervise, s.calls(page.TabCalls), false},
		{"GET /calls.csv", access.Supervise, s.exportCalls, false},
		{"GET /calls/callbacks", access.Supervise, s.calls(page.TabCallbacks), false},
		{"GET /calls/missed", access.Supervise, s.calls(page.TabMissed), false},
		{"GET /calls/{call}", access.Supervise, s.story, false},
		{"GET /reports", access.Supervise, s.figures, false},
		{"GET /reports/staffing", access.Supervise, s.staffing, false},
		{"GET /reports.csv", access.Supervise, s.exportReport, false},
		{"GET /recordings/{id}/sound", access.Supervise, s.recordingSound, false},
		{"POST /recordings/{id}/hold", access.Own, s.holdRecording(true), false},
		{"POST /recordings/{id}/release", access.Own, s.holdRecording(false), false},
		{"POST /recordings/{id}/delete", access.Own, s.deleteRecording(), false},
		{"GET /missed", access.Know, s.missed, false},
		{"GET /missed/{caller}", access.Supervise, s.dismissing, false},
		{"POST /missed/{caller}/dismiss", access.Supervise, s.dismiss, false},
		{"GET /agents/{agent}", access.Supervise, s.agent, false},
		{"POST /agents/{agent}/order", access.Supervise, s.agentOrder, false},

		{"GET /me", access.See, s.me, false},
		{"POST /me/work", access.Work, s.ownWork, false},
		{"POST /me/password", access.See, s.ownPassword, false},
		{"GET /me/code", access.See, s.oneTime, false},
		{"GET /me/code.png", access.See, s.oneTimePicture, false},
		{"POST /me/code", access.See, s.confirmOneTime, false},
		{"POST /me/code/stop", access.See, s.stopOneTime, false},
		{"POST /me/passkey/begin", access.See, s.beginPasskey, false},
		{"POST /me/passkey", access.See, s.addPasskey, false},
		{"POST /me/passkey/remove", access.See, s.removePasskey, false},
		{"GET /users", access.Own, s.users, false},
		{"POST /users", access.Own, s.addUser, false},
		{"POST /users/invite", access.Own, s.invite, false},
		{"POST /invites/{name}/end", access.Own, s.uninvite, false},
		{"POST /people/{id}/invite", access.Own, s.invitePerson, false},
		{"POST /users/{name}/role", access.Own, s.userRole, false},
		{"POST /users/{name}/password", access.Own, s.userPassword, false},
		{"POST /users/{name}/code/stop", access.Own, s.stopUserOneTime, false},
		{"POST /users/{name}/remove", access.Own, s.removeUser, false},

		{"GET /queues", access.Configure, s.queues, false},
		{"GET /queues/new", access.Configure, queueEditor().blankForm(s), false},
		{"POST /queues", access.Configure, queueEditor().create(s), false},
		{"GET /queues/{id}", access.Configure, queueEditor().form(s), false},
		{"POST /queues/{id}", access.Configure, queueEditor().save(s), false},
		{"POST /queues/{id}/remove", access.Configure, queueEditor().drop(s), false},
		{"GET /queues/{id}/skills", access.Configure, s.skills, false},
		{"POST /queues/{id}/skills", access.Configure, s.saveSkills, false},
		{"GET /queues/{id}/call", access.Configure, s.callMePage, false},
		{"POST /queues/{id}/call", access.Configure, s.callMeNow, false},
		{"GET /people", access.Configure, s.people, false},
		{"GET /people.csv", access.Configure, s.exportPeople, false},
		{"GET /people/import", access.Configure, s.importForm, false},
		{"POST /people/import", access.Configure, s.importPeople, false},
		{"GET /people/new", access.Configure, s.personForm, false},
		{"POST /people", access.Configure, s.addPerson, false},
		{"GET /people/{id}", access.Configure, personEditor().form(s), false},
		{"POST /people/{id}", access.Configure, personEditor().save(s), false},
		{"POST /people/{id}/remove", access.Configure, personEditor().drop(s), false},
		{"POST /phones/{id}/password", access.Configure, s.newPhonePassword, false},
		{"GET /hours", access.Configure, s.hours, false},
		{"GET /hours/new", access.Configure, hoursEditor().blankForm(s), false},
		{"POST /hours", access.Configure, hoursEditor().create(s), false},
		{"GET /hours/{id}", access.Configure, hoursEditor().form(s), false},
		{"POST /hours/{id}", access.Configure, hoursEditor().save(s), false},
		{"POST /hours/{id}/remove", access.Configure, hoursEditor().drop(s), false},
		{"GET /menus", access.Configure, s.menus, false},
		{"GET /menus/new", access.Configure, menuEditor().blankForm(s), false},
		{"POST /menus", access.Configure, menuEditor().create(s), false},
		{"GET /menus/{id}", access.Configure, menuEditor().form(s), false},
		{"POST /menus/{id}", access.Configure, menuEditor().save(s), false},
		{"POST /menus/{id}/remove", access.Configure, menuEditor().drop(s), false},
		{"GET /messages", access.Configure, s.messages, false},
		{"GET /messages/sentence/{name}", access.Configure, s.message, false},
		{"GET /messages/own/{id}", access.Configure, s.message, false},
		{"GET /messages/name/new", access.Configure, messageEditor().blankForm(s), false},
		{"POST /messages/name", access.Configure, messageEditor().create(s), false},
		{"GET /messages/name/{id}", access.Configure, messageEditor().form(s), false},
		{"POST /messages/name/{id}", access.Configure, messageEditor().save(s), false},
		{"POST /messages/name/{id}/remove", access.Configure, messageEditor().drop(s), false},
		{"GET /messages/sound/{lang}/{name}", access.Configure, s.sound, false},
		{"POST /messages/sound/{lang}/{name}", access.Configure, s.change(s.takeSound), false},
		{"POST /messages/sound/{lang}/{name}/ring", access.Configure, s.change(s.ring), false},
		{"POST /messages/sound/{lang}/{name}/speak", access.Configure, s.change(s.speak), false},
		{"POST /messages/sound/{lang}/{name}/remove", access.Configure, s.change(s.removeSound), false},
		{"POST /messages/sound/{lang}/{name}/undo", access.Configure, s.change(s.undoSound), false},
		{"GET /lines", access.Configure, s.lines, false},
		{"GET /lines/new", access.Configure, s.newLine, false},
		{"GET /lines/new/carrier", access.Configure, s.newCarrier, false},
		{"GET /lines/new/carrier/{preset}", access.Configure, s.newCarrier, false},
		{"POST /lines/new/carrier/{preset}", access.Configure, s.newCarrier, false},
		{"GET /lines/new/modem", access.Configure, s.newModem, false},
		{"POST /lines/new/modem", access.Configure, s.newModem, false},
		{"GET /lines/trunk/{id}", access.Configure, trunkEditor().form(s), false},
		{"POST /lines/trunk/{id}", access.Configure, trunkEditor().save(s), false},
		{"GET /lines/modem/{id}", access.Configure, lineEditor().form(s), false},
		{"POST /lines/modem/{id}", access.Configure, lineEditor().save(s), false},
		{"GET /lamps", access.Configure, s.lamps, false},
		{"GET /lamps/new", access.Configure, lampEditor().blankForm(s), false},
		{"POST /lamps", access.Configure, lampEditor().create(s), false},
		{"POST /lamps/test", access.Configure, s.testLamps, false},
		{"GET /lamps/{id}", access.Configure, lampEditor().form(s), false},
		{"POST /lamps/{id}", access.Configure, lampEditor().save(s), false},
		{"POST /lamps/{id}/find", access.Configure, s.findLamp, false},
		{"POST /lamps/{id}/remove", access.Configure, lampEditor().drop(s), false},
		{"GET /signals", access.Configure, s.signals, false},
		{"GET /signals/look", access.Configure, s.lookForm, false},
		{"POST /signals/look", access.Configure, s.saveLook, false},
		{"GET /signals/{id}", access.Configure, s.signalForm, false},
		{"POST /signals/{id}", access.Configure, s.saveSignal, false},
		{"POST /signals/{id}/usual", access.Configure, s.usualSignal, false},
		{"GET /changes", access.Configure, s.changes, false},
		{"POST /changes/apply", access.Configure, s.applyChanges, false},
		{"POST /changes/discard", access.Configure, s.discardChanges, false},
		{"POST /changes/undo", access.Configure, s.undo, false},
		{"GET /history", access.Configure, s.history, false},
		{"POST /history/file", access.Configure, s.handFile, false},
		{"GET /history/{number}", access.Configure, s.past, false},
		{"POST /history/{number}/take", access.Configure, s.takeBack, false},
		{"POST /history/{number}/restore", access.Configure, s.restore, false},
		{"GET /backup", access.Own, s.backup, false},
		{"POST /backup/place", access.Own, s.backupPlace, false},
		{"POST /backup/now", access.Own, s.backupNow, false},
		{"GET /backup/copy/{name}", access.Own, s.backupCopy, false},
		{"POST /backup/kit", access.Own, s.newKit, false},
		{"POST /backup/kit/confirm", access.Own, s.confirmKit, false},
		{"GET /backup/restore", access.Own, s.restoreForm, false},
		{"POST /backup/restore", access.Own, s.restoreUpload, false},
		{"POST /backup/restore/lines", access.Own, s.restoreLines(), false},
		{"POST /backup/restore/forget", access.Own, s.restoreForget(), false},
		{"POST /backup/restore/start", access.Own, s.restoreStart(), false},
		{"GET /handover", access.Configure, s.handover, false},
		{"GET /handover.pdf", access.Configure, s.handoverPDF, false},
		{"GET /certificate", access.Own, s.certificate, false},
		{"POST /certificate", access.Own, s.giveCertificate, false},
		{"POST /certificate/undo", access.Own, s.undoCertificate, false},
		{"POST /certificate/withdraw", access.Own, s.withdrawCertificate, false},
		{"GET /network", access.Configure, s.network, false},
		{"POST /network", access.Configure, s.tryNetwork, false},
		{"POST /network/recall", access.Configure, s.recallNetwork, false},
		{"GET /system", access.See, s.system, false},
		{"GET /security", access.Own, s.security, false},
		{"POST /security", access.Own, s.plainHTTP, false},
		{"GET /reset", access.Own, s.resetForm, false},
		{"POST /reset", access.Own, s.reset, false},
		{"GET /about", access.See, s.about, false},
		{"GET /about/licences", access.See, s.licenceText, false},

		{"GET /setup", access.Configure, s.setupHere, false},
		{"GET /setup/live", access.Configure, s.follow, false},
		{"GET /setup/{step}", access.Configure, s.setupStep, false},
		{"POST /setup/{step}", access.Configure, s.setupDo, false},

		{"GET /claim", access.Anybody, s.claimForm, true},
		{"POST /claim", access.Anybody, s.claim, true},
		{"GET /invite", access.Anybody, s.inviteForm, false},
		{"POST /invite", access.Anybody, s.accept, false},
		{"GET /network/confirm", access.Anybody, s.confirmForm, false}, // by a token, where nobody has signed in yet
		{"POST /network/confirm", access.Anybody, s.confirmNetwork, false},
		{"GET /restore", access.Anybody, s.firstRestoreForm, false}, // while nobody owns the box
		{"POST /restore", access.Anybody, s.firstly(s.restoreUpload), false},
		{"POST /restore/lines", access.Anybody, s.firstly(s.restoreLines()), false},
		{"POST /restore/forget", access.Anybody, s.firstly(s.restoreForget()), false},
		{"POST /restore/start", access.Anybody, s.firstly(s.restoreStart()), false},
		{"GET /signin", access.Anybody, s.signInForm, false},
		{"POST /signin", access.Anybody, s.signIn, false},
		{"POST /signin/code", access.Anybody, s.finish, false},
		{"POST /signin/passkey/begin", access.Anybody, s.beginPasskeySignIn, false},
		{"POST /signin/passkey", access.Anybody, s.passkeySignIn, false},
		{"POST /signout", access.Anybody, s.signOut, false},
		{"GET /healthz", access.Anybody, s.healthz, true},
		{"GET /asset/", access.Anybody, s.asset, true},
		{"GET /", access.Anybody, s.missing, false},
	}
}

// Route is one path of the page and who may use it, for those who judge all of them.
type Route struct {
	Pattern string // as net/http's ServeMux has it: "GET /queues/{id}"
	Right   access.Right
}

// Routes lists every path that the page serves.
func Routes() (all []Route) {
	for _, r := range (&server{}).routes() {
		all = append(all, Route{r.pattern, r.right})
	}
	return all
}

// visit is one request with who makes it.
type visit struct {
	*http.Request
	lang  string
	from  access.Visitor
	token string
	user  access.User // zero: not signed in
}

// The names of the session's cookie. Cookies know no ports, so that another program on the same host name
// could set one: it would be of nobody. Browsers take the prefix __Host- from HTTPS alone, so that a session
// over HTTPS cannot be planted, and is never sent in the clear.
const (
	plainCookie = "pronto_session"
	tlsCookie   = "__Host-pronto_session"
)

func (v *visit) cookie() string {
	if v.TLS != nil {
		return tlsCookie
	}
	return plainCookie
}

func (s *server) visit(r *http.Request) *visit {
	v := &visit{Request: r, lang: s.language(r), from: access.Visitor{Browser: r.UserAgent(), Sealed: r.TLS != nil}}
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		v.from.Addr = a.Addr().Unmap()
		v.from.LAN = s.LAN(v.from.Addr)
	}
	if v.TLS == nil && !v.from.LAN {
		return v // nobody signs in from there, and who brings a session has read somebody's
	}
	if c, err := r.Cookie(v.cookie()); err == nil {
		if u, ok := s.Accounts.Who(c.Value, v.from.Sealed); ok {
			v.user, v.token = u, c.Value
		}
	}
	return v
}

// admit lets those pass who may; the others are shown where the door is.
func (s *server) admit(x route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := s.visit(r)
		switch {
		case v.TLS == nil && !x.inTheClear && !s.Plain():
			s.toHTTPS(w, v)
			return
		case x.right == access.Anybody:
		case v.user.Name == "":
			s.toTheDoor(w, v)
			return
		case !v.user.May(x.right):
			s.refuse(w, v, http.StatusForbidden, "denied")
			return
		}
		x.serve(w, v)
	})
}

// toTheDoor sends a person to the form for signing in and tells a program 401.
func (s *server) toTheDoor(w http.ResponseWriter, v *visit) {
	if v.Method != http.MethodGet || !strings.Contains(v.Header.Get("Accept"), "text/html") {
		http.Error(w, "sign in first", http.StatusUnauthorized)
		return
	}
	to := "/claim"
	if s.Accounts.Claimed() {
		to = "/signin?to=" + url.QueryEscape(v.URL.RequestURI())
	}
	redirect(w, v, to)
}

// toHTTPS sends a visitor to where nobody listens in.
func (s *server) toHTTPS(w http.ResponseWriter, v *visit) {
	host := v.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if s.TLSPort != 443 {
		host = net.JoinHostPort(host, strconv.Itoa(int(s.TLSPort)))
	} else if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, v.Request, "https://"+host+v.URL.RequestURI(), http.StatusSeeOther)
}

// toSealed sends a visitor in the clear, who would be shown a secret, to HTTPS, and tells whether it did. Who sits at
// the box itself stays, and so does everybody where there is no HTTPS.
func (s *server) toSealed(w http.ResponseWriter, v *visit) bool {
	if v.TLS != nil || s.TLSPort == 0 || v.from.Addr.IsLoopback() {
		return false
	}
	s.toHTTPS(w, v)
	return true
}

// redirect sends on with the language that was asked for.
func redirect(w http.ResponseWriter, v *visit, to string) {
	if q := v.URL.Query().Get("lang"); q == v.lang && !strings.Contains(to, "lang=") {
		sign := "?"
		if strings.Contains(to, "?") {
			sign = "&"
		}
		to += sign + "lang=" + q
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, v.Request, to, http.StatusSeeOther)
}

// inside accepts a path of this page as the place to go on at; anything else could be an address abroad.
func inside(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.Contains(to, `\`) {
		return "/"
	}
	switch u.Path {
	case "/claim", "/signin", "/signout":
		return "/"
	}
	return u.RequestURI()
}
