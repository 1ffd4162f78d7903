package web

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/pronto-pbx/pronto/ui/access"
)

// route is one path of the page.
type route struct {
	pattern string
	right   access.Right
	serve   func(http.ResponseWriter, *visit)
}

// routes is every path with the right that it demands. Nothing else is served.
func (s *server) routes() []route {
	return []route{
		{"GET /{$}", access.See, s.office},
		{"GET /live", access.See, s.live},
		{"GET /codes", access.See, s.codes},
		{"GET /api/now", access.See, s.now},

		{"GET /me", access.See, s.me},
		{"POST /me/password", access.See, s.ownPassword},
		{"GET /users", access.Own, s.users},
		{"POST /users", access.Own, s.addUser},
		{"POST /users/{name}/password", access.Own, s.userPassword},
		{"POST /users/{name}/remove", access.Own, s.removeUser},

		{"GET /claim", access.Anybody, s.claimForm},
		{"POST /claim", access.Anybody, s.claim},
		{"GET /signin", access.Anybody, s.signInForm},
		{"POST /signin", access.Anybody, s.signIn},
		{"POST /signout", access.Anybody, s.signOut},
		{"GET /healthz", access.Anybody, s.healthz},
		{"GET /asset/", access.Anybody, s.asset},
	}
}

// visit is one request with who makes it.
type visit struct {
	*http.Request
	lang  string
	from  access.Visitor
	token string
	user  access.User // zero: not signed in
}

// cookie is the name of the session's cookie. Cookies know no ports, so that another program on the same
// host name could set one: it would be of nobody.
const cookie = "pronto_session"

func (s *server) visit(r *http.Request) *visit {
	v := &visit{Request: r, lang: s.language(r), from: access.Visitor{Browser: r.UserAgent()}}
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		v.from.Addr = a.Addr().Unmap()
		v.from.LAN = s.LAN(v.from.Addr)
	}
	if c, err := r.Cookie(cookie); err == nil {
		if u, ok := s.Accounts.Who(c.Value); ok {
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
