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
	clear   Clear
}

// Clear is whether a route may be used over plain HTTP, where others in the network can read along and use the
// session that they have read. Who sits at the box itself is heard by nobody.
type Clear string

// What is done in the clear.
const (
	WhileAllowed Clear = "while allowed" // by the owner
	Always       Clear = "always"        // also where the owner wants HTTPS
	// Never is what hands a secret out or takes one in, gives or takes rights, or decides whom the box trusts: a
	// session that was read must not make its thief an owner for good.
	Never Clear = "never"
)

// routes is every path with the right that it demands. Nothing else is served.
func (s *server) routes() []route {
	return []route{
		{"GET /{$}", access.See, s.office, WhileAllowed},
		{"GET /live", access.See, s.live, WhileAllowed},
		{"GET /codes", access.See, s.codes, WhileAllowed},
		{"GET /api/now", access.Know, s.now, WhileAllowed},

		{"POST /supervise", access.Supervise, s.supervise, WhileAllowed},
		{"GET /waiting/{call}", access.Supervise, s.caller, WhileAllowed},
		{"POST /waiting/{call}/move", access.Supervise, s.moveCaller, WhileAllowed},
		{"POST /waiting/{call}/assign", access.Supervise, s.assignCaller, WhileAllowed},
		{"GET /callbacks", access.Know, s.callbacks, WhileAllowed},
		{"GET /callbacks/{callback}", access.Supervise, s.dropping, WhileAllowed},
		{"POST /callbacks/{callback}/drop", access.Supervise, s.dropCallback, WhileAllowed},
		{"GET /calls", access.Supervise, s.calls(page.TabCalls), WhileAllowed},
		{"GET /calls.csv", access.Supervise, s.exportCalls, WhileAllowed},
		{"GET /calls/callbacks", access.Supervise, s.calls(page.TabCallbacks), WhileAllowed},
		{"GET /calls/missed", access.Supervise, s.calls(page.TabMissed), WhileAllowed},
		{"GET /calls/{call}", access.Supervise, s.story, WhileAllowed},
		{"GET /calls/{call}/sip", access.Configure, s.sipTrace, WhileAllowed},
		{"GET /calls/{call}/sip.pcapng", access.Configure, s.sipCapture, WhileAllowed},
		{"GET /calls/{call}/rtp.pcapng", access.Own, s.rtpCapture, Never},
		{"GET /reports", access.Supervise, s.figures, WhileAllowed},
		{"GET /reports/staffing", access.Supervise, s.staffing, WhileAllowed},
		{"GET /reports/queue_log", access.Supervise, s.exportQueueLog, WhileAllowed},
		{"GET /reports/whatif", access.Supervise, s.whatIf, WhileAllowed},
		{"GET /reports/lines.csv", access.Supervise, s.exportLines, WhileAllowed},
		{"GET /reports.csv", access.Supervise, s.exportReport, WhileAllowed},
		{"GET /recordings/{id}/sound", access.Supervise, s.recordingSound, Never},
		{"POST /recordings/{id}/hold", access.Own, s.holdRecording(true), Never},
		{"POST /recordings/{id}/release", access.Own, s.holdRecording(false), Never},
		{"POST /recordings/{id}/delete", access.Own, s.deleteRecording(), Never},
		{"GET /missed", access.Know, s.missed, WhileAllowed},
		{"GET /missed/{caller}", access.Supervise, s.dismissing, WhileAllowed},
		{"POST /missed/{caller}/dismiss", access.Supervise, s.dismiss, WhileAllowed},
		{"GET /agents/{agent}", access.Supervise, s.agent, WhileAllowed},
		{"POST /agents/{agent}/order", access.Supervise, s.agentOrder, WhileAllowed},

		{"GET /me", access.See, s.me, WhileAllowed},
		{"POST /me/work", access.Work, s.ownWork, WhileAllowed},
		{"GET /phone", access.Work, s.softphone, WhileAllowed},
		{"GET /phone/live", access.Work, s.followPhone, WhileAllowed},
		{"GET /phone/ready/live", access.Work, s.readyPhone, Never},
		{"POST /phone/dial", access.Work, s.dialPhone, Never},
		{"POST /phone/calls/{call}", access.Work, s.phoneCall, Never},
		{"POST /phone/calls/{call}/offer", access.Work, s.offerPhone, Never},
		{"POST /me/password", access.See, s.ownPassword, Never},
		{"GET /me/code", access.See, s.oneTime, Never},
		{"GET /me/code.png", access.See, s.oneTimePicture, Never},
		{"POST /me/code", access.See, s.confirmOneTime, Never},
		{"POST /me/code/stop", access.See, s.stopOneTime, Never},
		{"POST /me/passkey/begin", access.See, s.beginPasskey, Never},
		{"POST /me/passkey", access.See, s.addPasskey, Never},
		{"POST /me/passkey/remove", access.See, s.removePasskey, Never},
		{"GET /users", access.Own, s.users, WhileAllowed},
		{"POST /users", access.Own, s.addUser, Never},
		{"POST /users/invite", access.Own, s.invite, Never},
		{"POST /invites/{name}/end", access.Own, s.uninvite, Never},
		{"POST /people/{id}/invite", access.Own, s.invitePerson, Never},
		{"POST /users/{name}/role", access.Own, s.userRole, Never},
		{"POST /users/{name}/password", access.Own, s.userPassword, Never},
		{"POST /users/{name}/code/stop", access.Own, s.stopUserOneTime, Never},
		{"POST /users/{name}/remove", access.Own, s.removeUser, Never},

		{"GET /queues", access.Configure, s.queues, WhileAllowed},
		{"GET /queues/new", access.Configure, queueEditor().blankForm(s), WhileAllowed},
		{"POST /queues", access.Configure, queueEditor().create(s), WhileAllowed},
		{"GET /queues/{id}", access.Configure, queueEditor().form(s), WhileAllowed},
		{"POST /queues/{id}", access.Configure, queueEditor().save(s), WhileAllowed},
		{"POST /queues/{id}/remove", access.Configure, queueEditor().drop(s), WhileAllowed},
		{"GET /queues/{id}/skills", access.Configure, s.skills, WhileAllowed},
		{"POST /queues/{id}/skills", access.Configure, s.saveSkills, WhileAllowed},
		{"GET /queues/{id}/call", access.Configure, s.callMePage, WhileAllowed},
		{"POST /queues/{id}/call", access.Configure, s.callMeNow, WhileAllowed},
		{"GET /people", access.Configure, s.people, WhileAllowed},
		{"GET /people.csv", access.Configure, s.exportPeople, WhileAllowed},
		{"GET /people/import", access.Configure, s.importForm, WhileAllowed},
		{"POST /people/import", access.Configure, s.importPeople, WhileAllowed},
		{"GET /people/new", access.Configure, s.personForm, WhileAllowed},
		{"POST /people", access.Configure, s.addPerson, WhileAllowed},
		{"GET /people/{id}", access.Configure, personEditor().form(s), WhileAllowed},
		{"POST /people/{id}", access.Configure, personEditor().save(s), WhileAllowed},
		{"POST /people/{id}/remove", access.Configure, personEditor().drop(s), WhileAllowed},
		{"POST /phones/{id}/password", access.Configure, s.newPhonePassword, WhileAllowed},
		{"GET /hours", access.Configure, s.hours, WhileAllowed},
		{"GET /hours/new", access.Configure, hoursEditor().blankForm(s), WhileAllowed},
		{"POST /hours", access.Configure, hoursEditor().create(s), WhileAllowed},
		{"GET /hours/{id}", access.Configure, hoursEditor().form(s), WhileAllowed},
		{"POST /hours/{id}", access.Configure, hoursEditor().save(s), WhileAllowed},
		{"POST /hours/{id}/remove", access.Configure, hoursEditor().drop(s), WhileAllowed},
		{"GET /conferences", access.Supervise, s.conferences, WhileAllowed},
		{"POST /conferences/{id}/order", access.Supervise, s.conferenceOrder, WhileAllowed},
		{"GET /conferences/new", access.Configure, conferenceEditor().blankForm(s), WhileAllowed},
		{"POST /conferences", access.Configure, conferenceEditor().create(s), WhileAllowed},
		{"GET /conferences/{id}", access.Configure, conferenceEditor().form(s), WhileAllowed},
		{"POST /conferences/{id}", access.Configure, conferenceEditor().save(s), WhileAllowed},
		{"POST /conferences/{id}/remove", access.Configure, conferenceEditor().drop(s), WhileAllowed},
		{"GET /menus", access.Configure, s.menus, WhileAllowed},
		{"GET /menus/new", access.Configure, menuEditor().blankForm(s), WhileAllowed},
		{"POST /menus", access.Configure, menuEditor().create(s), WhileAllowed},
		{"GET /menus/{id}", access.Configure, menuEditor().form(s), WhileAllowed},
		{"POST /menus/{id}", access.Configure, menuEditor().save(s), WhileAllowed},
		{"POST /menus/{id}/remove", access.Configure, menuEditor().drop(s), WhileAllowed},
		{"GET /messages", access.Configure, s.messages, WhileAllowed},
		{"GET /messages/sentence/{name}", access.Configure, s.message, WhileAllowed},
		{"GET /messages/own/{id}", access.Configure, s.message, WhileAllowed},
		{"GET /messages/name/new", access.Configure, messageEditor().blankForm(s), WhileAllowed},
		{"POST /messages/name", access.Configure, messageEditor().create(s), WhileAllowed},
		{"GET /messages/name/{id}", access.Configure, messageEditor().form(s), WhileAllowed},
		{"POST /messages/name/{id}", access.Configure, messageEditor().save(s), WhileAllowed},
		{"POST /messages/name/{id}/remove", access.Configure, messageEditor().drop(s), WhileAllowed},
		{"GET /messages/sound/{lang}/{name}", access.Configure, s.sound, WhileAllowed},
		{"POST /messages/sound/{lang}/{name}", access.Configure, s.change(s.takeSound), WhileAllowed},
		{"POST /messages/sound/{lang}/{name}/ring", access.Configure, s.change(s.ring), WhileAllowed},
		{"POST /messages/sound/{lang}/{name}/speak", access.Configure, s.change(s.speak), WhileAllowed},
		{"POST /messages/sound/{lang}/{name}/remove", access.Configure, s.change(s.removeSound), WhileAllowed},
		{"POST /messages/sound/{lang}/{name}/undo", access.Configure, s.change(s.undoSound), WhileAllowed},
		{"GET /dispositions", access.Configure, s.dispositions, WhileAllowed},
		{"GET /dispositions/new", access.Configure, dispositionEditor().blankForm(s), WhileAllowed},
		{"POST /dispositions", access.Configure, dispositionEditor().create(s), WhileAllowed},
		{"GET /dispositions/order", access.Configure, s.orderForm, WhileAllowed},
		{"POST /dispositions/order", access.Configure, s.saveOrder, WhileAllowed},
		{"GET /dispositions/{id}", access.Configure, dispositionEditor().form(s), WhileAllowed},
		{"POST /dispositions/{id}", access.Configure, dispositionEditor().save(s), WhileAllowed},
		{"POST /dispositions/{id}/remove", access.Configure, dispositionEditor().drop(s), WhileAllowed},
		{"GET /lines", access.Configure, s.lines, WhileAllowed},
		{"GET /lines/new", access.Configure, s.newLine, WhileAllowed},
		{"GET /lines/new/carrier", access.Configure, s.newCarrier, WhileAllowed},
		{"GET /lines/new/carrier/{preset}", access.Configure, s.newCarrier, WhileAllowed},
		{"POST /lines/new/carrier/{preset}", access.Configure, s.newCarrier, WhileAllowed},
		{"GET /lines/new/modem", access.Configure, s.newModem, WhileAllowed},
		{"POST /lines/new/modem", access.Configure, s.newModem, WhileAllowed},
		{"GET /lines/gateway/{id}", access.Configure, s.gatewaySettings, WhileAllowed},
		{"GET /lines/new/analog", access.Configure, s.newAnalog, WhileAllowed},
		{"POST /lines/new/analog", access.Configure, s.newAnalog, WhileAllowed},
		{"GET /lines/analog/{id}", access.Configure, analogEditor().form(s), WhileAllowed},
		{"POST /lines/analog/{id}", access.Configure, analogEditor().save(s), WhileAllowed},
		{"GET /lines/trunk/{id}", access.Configure, trunkEditor().form(s), WhileAllowed},
		{"POST /lines/trunk/{id}", access.Configure, trunkEditor().save(s), WhileAllowed},
		{"GET /lines/modem/{id}", access.Configure, lineEditor().form(s), WhileAllowed},
		{"POST /lines/modem/{id}", access.Configure, lineEditor().save(s), WhileAllowed},
		{"GET /lamps", access.Configure, s.lamps, WhileAllowed},
		{"GET /lamps/new", access.Configure, lampEditor().blankForm(s), WhileAllowed},
		{"POST /lamps", access.Configure, lampEditor().create(s), WhileAllowed},
		{"GET /lamps/wiring", access.Configure, s.wiring, WhileAllowed},
		{"POST /lamps/test", access.Configure, s.testLamps, WhileAllowed},
		{"GET /lamps/{id}", access.Configure, lampEditor().form(s), WhileAllowed},
		{"POST /lamps/{id}", access.Configure, lampEditor().save(s), WhileAllowed},
		{"POST /lamps/{id}/find", access.Configure, s.findLamp, WhileAllowed},
		{"POST /lamps/{id}/remove", access.Configure, lampEditor().drop(s), WhileAllowed},
		{"GET /buttons", access.Configure, s.buttons, WhileAllowed},
		{"GET /buttons/new", access.Configure, buttonEditor().blankForm(s), WhileAllowed},
		{"POST /buttons", access.Configure, buttonEditor().create(s), WhileAllowed},
		{"GET /buttons/{id}", access.Configure, buttonEditor().form(s), WhileAllowed},
		{"POST /buttons/{id}", access.Configure, buttonEditor().save(s), WhileAllowed},
		{"POST /buttons/{id}/remove", access.Configure, buttonEditor().drop(s), WhileAllowed},
		{"GET /signals", access.Configure, s.signals, WhileAllowed},
		{"GET /signals/look", access.Configure, s.lookForm, WhileAllowed},
		{"POST /signals/look", access.Configure, s.saveLook, WhileAllowed},
		{"GET /signals/{id}", access.Configure, s.signalForm, WhileAllowed},
		{"POST /signals/{id}", access.Configure, s.saveSignal, WhileAllowed},
		{"POST /signals/{id}/usual", access.Configure, s.usualSignal, WhileAllowed},
		{"GET /recording", access.Configure, s.recordingSettings, WhileAllowed},
		{"POST /recording/check", access.Configure, s.checkRecordings, WhileAllowed},
		{"GET /recording/manner", access.Configure, s.mannerForm, WhileAllowed},
		{"POST /recording/manner", access.Configure, s.saveManner, WhileAllowed},
		{"GET /recording/rules/new", access.Configure, ruleEditor().blankForm(s), WhileAllowed},
		{"POST /recording/rules", access.Configure, ruleEditor().create(s), WhileAllowed},
		{"GET /recording/rules/{id}", access.Configure, ruleEditor().form(s), WhileAllowed},
		{"POST /recording/rules/{id}", access.Configure, ruleEditor().save(s), WhileAllowed},
		{"POST /recording/rules/{id}/first", access.Configure, s.firstRule, WhileAllowed},
		{"POST /recording/rules/{id}/remove", access.Configure, ruleEditor().drop(s), WhileAllowed},
		{"GET /recording/purposes/new", access.Configure, purposeEditor().blankForm(s), WhileAllowed},
		{"POST /recording/purposes", access.Configure, purposeEditor().create(s), WhileAllowed},
		{"GET /recording/purposes/{id}", access.Configure, purposeEditor().form(s), WhileAllowed},
		{"POST /recording/purposes/{id}", access.Configure, purposeEditor().save(s), WhileAllowed},
		{"POST /recording/purposes/{id}/remove", access.Configure, purposeEditor().drop(s), WhileAllowed},
		{"GET /changes", access.Configure, s.changes, WhileAllowed},
		{"POST /changes/apply", access.Configure, s.applyChanges, WhileAllowed},
		{"POST /changes/discard", access.Configure, s.discardChanges, WhileAllowed},
		{"POST /changes/undo", access.Configure, s.undo, WhileAllowed},
		{"GET /history", access.Configure, s.history, WhileAllowed},
		{"POST /history/file", access.Configure, s.handFile, WhileAllowed},
		{"GET /history/{number}", access.Configure, s.past, WhileAllowed},
		{"POST /history/{number}/take", access.Configure, s.takeBack, WhileAllowed},
		{"POST /history/{number}/restore", access.Configure, s.restore, WhileAllowed},
		{"GET /backup", access.Own, s.backup, WhileAllowed},
		{"POST /backup/place", access.Own, s.backupPlace, Never},
		{"POST /backup/now", access.Own, s.backupNow, Never},
		{"GET /backup/copy/{name}", access.Own, s.backupCopy, Never},
		{"POST /backup/kit", access.Own, s.newKit, Never},
		{"POST /backup/kit/confirm", access.Own, s.confirmKit, Never},
		{"GET /backup/restore", access.Own, s.restoreForm, WhileAllowed},
		{"POST /backup/restore", access.Own, s.restoreUpload, Never},
		{"POST /backup/restore/lines", access.Own, s.restoreLines(), Never},
		{"POST /backup/restore/forget", access.Own, s.restoreForget(), Never},
		{"POST /backup/restore/start", access.Own, s.restoreStart(), Never},
		{"GET /handover", access.Configure, s.handover, WhileAllowed},
		{"GET /handover.pdf", access.Configure, s.handoverPDF, WhileAllowed},
		{"GET /certificate", access.Own, s.certificate, WhileAllowed},
		{"POST /certificate", access.Own, s.giveCertificate, Never},
		{"POST /certificate/undo", access.Own, s.undoCertificate, Never},
		{"POST /certificate/withdraw", access.Own, s.withdrawCertificate, Never},
		{"GET /update", access.Configure, s.update, WhileAllowed},
		{"POST /update/check", access.Own, s.updates(s.checkUpdates), Never},
		{"POST /update/install", access.Own, s.updates(s.installUpdate), Never},
		{"POST /update/postpone", access.Own, s.updates(s.postponeUpdates), Never},
		{"POST /update/settings", access.Own, s.updates(s.setUpdates), Never},
		{"POST /update/seen", access.Own, s.updates(s.seenUpdate), Never},
		{"POST /update/stick", access.Own, s.updates(s.stickUpdate), Never},
		{"POST /update/bundle", access.Own, s.giveUpdate, Never},
		{"GET /board", access.Configure, s.board, WhileAllowed},
		{"GET /network", access.Configure, s.network, WhileAllowed},
		{"POST /network", access.Configure, s.tryNetwork, WhileAllowed},
		{"POST /network/recall", access.Configure, s.recallNetwork, WhileAllowed},
		{"GET /system", access.See, s.system, WhileAllowed},
		{"GET /security", access.Own, s.security, WhileAllowed},
		{"POST /security", access.Own, s.plainHTTP, Never},
		{"GET /erasures", access.Own, s.erasures, WhileAllowed},
		{"POST /erasures", access.Own, s.erase, Never},
		{"GET /traces", access.Own, s.traces, WhileAllowed},
		{"POST /traces", access.Own, s.permitTrace, Never},
		{"POST /traces/stop", access.Own, s.stopTrace, WhileAllowed},
		{"POST /traces/delete", access.Own, s.deleteTraces, WhileAllowed},
		{"GET /reset", access.Own, s.resetForm, WhileAllowed},
		{"POST /reset", access.Own, s.reset, Never},
		{"GET /about", access.See, s.about, WhileAllowed},
		{"GET /about/licences", access.See, s.licenceText, WhileAllowed},

		{"GET /setup", access.Configure, s.setupHere, WhileAllowed},
		{"GET /setup/live", access.Configure, s.follow, WhileAllowed},
		{"GET /setup/{step}", access.Configure, s.setupStep, WhileAllowed},
		{"POST /setup/{step}", access.Configure, s.setupDo, WhileAllowed},

		{"GET /claim", access.Anybody, s.claimForm, Always},
		{"POST /claim", access.Anybody, s.claim, Always},
		{"GET /invite", access.Anybody, s.inviteForm, Never},
		{"POST /invite", access.Anybody, s.accept, Never},
		{"GET /network/confirm", access.Anybody, s.confirmForm, WhileAllowed}, // by a token, where nobody has signed in yet
		{"POST /network/confirm", access.Anybody, s.confirmNetwork, WhileAllowed},
		{"GET /restore", access.Anybody, s.firstRestoreForm, WhileAllowed}, // while nobody owns the box
		{"POST /restore", access.Anybody, s.firstly(s.restoreUpload), Never},
		{"POST /restore/lines", access.Anybody, s.firstly(s.restoreLines()), Never},
		{"POST /restore/forget", access.Anybody, s.firstly(s.restoreForget()), Never},
		{"POST /restore/start", access.Anybody, s.firstly(s.restoreStart()), Never},
		{"GET /signin", access.Anybody, s.signInForm, WhileAllowed},
		{"POST /signin", access.Anybody, s.signIn, WhileAllowed},
		{"POST /signin/code", access.Anybody, s.finish, WhileAllowed},
		{"POST /signin/passkey/begin", access.Anybody, s.beginPasskeySignIn, WhileAllowed},
		{"POST /signin/passkey", access.Anybody, s.passkeySignIn, WhileAllowed},
		{"POST /signout", access.Anybody, s.signOut, WhileAllowed},
		{"GET /healthz", access.Anybody, s.healthz, Always},
		{"GET /asset/", access.Anybody, s.asset, Always},
		{"GET /", access.Anybody, s.missing, WhileAllowed},
	}
}

// Route is one path of the page and who may use it, for those who judge all of them.
type Route struct {
	Pattern string // as net/http's ServeMux has it: "GET /queues/{id}"
	Right   access.Right
	Clear   Clear
}

// Routes lists every path that the page serves.
func Routes() (all []Route) {
	for _, r := range (&server{}).routes() {
		all = append(all, Route{r.pattern, r.right, r.clear})
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
		case v.TLS == nil && x.clear != Always && !s.Plain():
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
		if x.clear == Never && !v.unheard() {
			s.heard(w, v)
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

// unheard tells whether nobody can listen in between the visitor and the box.
func (v *visit) unheard() bool { return v.TLS != nil || v.from.Addr.IsLoopback() }

// heard leads a visitor in the clear to where nobody listens in, and refuses what would be done here.
func (s *server) heard(w http.ResponseWriter, v *visit) {
	if v.Method == http.MethodGet && s.TLSPort != 0 {
		s.toHTTPS(w, v)
		return
	}
	s.refuse(w, v, http.StatusForbidden, "insecure")
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
