package web

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// networkKind are the fields of a choice of the network.
func networkKind() kind[page.NetworkChoice] {
	type n = page.NetworkChoice
	return kind[n]{
		name: "network",
		groups: []group[n]{
			{"address", []binding[n]{
				{
					name: "how", path: "how", kind: page.FieldSelect,
					choices: func(*config.Config, *n) []page.Option {
						return []page.Option{{ID: "dhcp", Key: "network.how.dhcp"}, {ID: "fixed", Key: "network.how.fixed"}}
					},
					get: func(x *n) string {
						if x.Fixed {
							return "fixed"
						}
						return "dhcp"
					},
					set: func(x *n, v string) string {
						x.Fixed = v == "fixed"
						if v != "fixed" && v != "dhcp" {
							return "choice"
						}
						return ""
					},
				},
				{name: "address", path: "address", kind: page.FieldText, get: func(x *n) string { return written(x.Addr.Addr()) }, set: setAddress},
				{name: "mask", path: "mask", kind: page.FieldText, get: maskOf, set: setMask},
				{name: "router", path: "router", kind: page.FieldText, get: func(x *n) string { return written(x.Router) }, set: setRouter},
			}},
			{"servers", []binding[n]{
				{name: "dns", path: "dns", kind: page.FieldText, get: func(x *n) string { return x.Servers() }, set: setDNS},
				{name: "ntp", path: "ntp", kind: page.FieldText, get: func(x *n) string { return x.Times() }, set: func(x *n, v string) string { x.NTP = words(v); return "" }},
				{
					name: "host", path: "host", kind: page.FieldText, get: func(x *n) string { return x.Host },
					set: func(x *n, v string) string {
						x.Host = strings.TrimSuffix(strings.ToLower(v), ".local")
						return ""
					},
				},
			}},
		},
	}
}

func written(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func words(v string) []string {
	return strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
}

// setAddress keeps the length of the network, which has a field of its own, unless the address brings one.
func setAddress(x *page.NetworkChoice, v string) string {
	if v == "" {
		x.Addr = netip.Prefix{}
		return ""
	}
	if p, err := netip.ParsePrefix(v); err == nil && p.Addr().Is4() {
		x.Addr = p
		return ""
	}
	a, err := netip.ParseAddr(v)
	if err != nil || !a.Is4() {
		return "net_address"
	}
	bits := x.Addr.Bits()
	if bits < 1 {
		bits = 24
	}
	x.Addr = netip.PrefixFrom(a, bits)
	return ""
}

func maskOf(x *page.NetworkChoice) string {
	if !x.Addr.IsValid() {
		return "255.255.255.0"
	}
	return net.IP(net.CIDRMask(x.Addr.Bits(), 32)).String()
}

// setMask takes 255.255.255.0, /24 or 24.
func setMask(x *page.NetworkChoice, v string) string {
	bits, err := strconv.Atoi(strings.TrimPrefix(v, "/"))
	if err != nil {
		ip := net.ParseIP(v).To4()
		if ip == nil {
			return "net_mask"
		}
		ones, size := net.IPMask(ip).Size()
		if size == 0 {
			return "net_mask"
		}
		bits = ones
	}
	if bits < 8 || bits > 30 {
		return "net_mask"
	}
	if x.Addr.Addr().IsValid() {
		x.Addr = netip.PrefixFrom(x.Addr.Addr(), bits)
	}
	return ""
}

func setRouter(x *page.NetworkChoice, v string) string {
	a, err := netip.ParseAddr(v)
	if v != "" && (err != nil || !a.Is4()) {
		return "net_address"
	}
	x.Router = a
	return ""
}

func setDNS(x *page.NetworkChoice, v string) string {
	x.DNS = nil
	for _, w := range words(v) {
		a, err := netip.ParseAddr(w)
		if err != nil {
			return "net_address"
		}
		x.DNS = append(x.DNS, a)
	}
	return ""
}

// consistent finds what the fields together get wrong.
func consistent(x *page.NetworkChoice) map[string]string {
	wrong := map[string]string{}
	if !x.Fixed {
		return wrong
	}
	switch {
	case !x.Addr.IsValid():
		wrong["address"] = "missing"
	case x.Addr.Addr() == x.Addr.Masked().Addr():
		wrong["address"] = "net_whole"
	case x.Router.IsValid() && !x.Addr.Contains(x.Router):
		wrong["router"] = "net_elsewhere"
	case x.Router == x.Addr.Addr():
		wrong["router"] = "net_same"
	}
	return wrong
}

func (s *server) network(w http.ResponseWriter, v *visit) {
	p := page.Network{}
	if done := v.URL.Query().Get("done"); done == "recalled" {
		p.Done = "network.done." + done
	}
	s.networkPage(w, v, http.StatusOK, p)
}

func (s *server) networkPage(w http.ResponseWriter, v *visit, status int, p page.Network) {
	p.Reader, p.Box, p.State = s.reader(v), s.Name(), s.Network.State(v.Context())
	p.Reader.Path = "/network"
	if p.State.Trial == nil && p.Blocks == nil && s.Network.Try != nil {
		held := p.State.Held
		p.Blocks = networkKind().blocks(s.Settings.Current(), &held, nil, nil)
	}
	html, err := s.pages[v.lang].Network(p, time.Now())
	s.show(w, status, html, err)
}

// tryNetwork puts a choice on trial. Its answer reaches the visitor by the old address, which the box keeps for a moment.
func (s *server) tryNetwork(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	if s.Network.Try == nil {
		s.refuse(w, v, http.StatusConflict, "network.foreign")
		return
	}
	k, held := networkKind(), s.Network.State(v.Context()).Held
	was, p := held, k.read(v.PostForm)
	mistakes := k.write(&held, p)
	if len(mistakes) == 0 {
		mistakes = consistent(&held)
	}
	again := func(status int, said page.Said) {
		wrong := map[string]page.Said{}
		for name, code := range mistakes {
			wrong[name] = page.Said{Sentence: "problem." + code, Where: name}
		}
		s.networkPage(w, v, status, page.Network{Said: said, Blocks: k.blocks(s.Settings.Current(), &was, p, wrong)})
	}
	if len(mistakes) > 0 {
		again(http.StatusUnprocessableEntity, s.sentence("form.wrong"))
		return
	}
	if !held.Fixed {
		held.Addr, held.Router = netip.Prefix{}, netip.Addr{}
	}
	token, no := s.Network.Try(v.Context(), held)
	if no.Sentence != "" {
		again(http.StatusConflict, s.refusal(no))
		return
	}
	s.Accounts.Note(access.DeedNetwork, v.user.Name, held.Addr.String(), v.from)
	s.networkPage(w, v, http.StatusOK, page.Network{At: s.confirmAt(v, held, token)})
}

// confirmAt is the address at which a choice on trial can be confirmed.
func (s *server) confirmAt(v *visit, c page.NetworkChoice, token string) string {
	host, port, err := net.SplitHostPort(v.Host)
	if err != nil {
		host, port = v.Host, ""
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil { // a name goes with the box
		switch names := s.Network.State(v.Context()).Names; {
		case c.Fixed:
			host = c.Addr.Addr().String()
		case len(names) > 0:
			host = names[0]
		}
	}
	if port != "" {
		host = net.JoinHostPort(host, port)
	}
	scheme := "http"
	if v.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + host + "/network/confirm?lang=" + v.lang + "&token=" + url.QueryEscape(token)
}

// confirmForm asks who came by the address on trial whether it stays.
func (s *server) confirmForm(w http.ResponseWriter, v *visit) {
	s.confirmPage(w, v, http.StatusOK, page.Confirm{Token: v.URL.Query().Get("token")})
}

func (s *server) confirmPage(w http.ResponseWriter, v *visit, status int, p page.Confirm) {
	p.Reader, p.Box, p.State, p.There = s.reader(v), s.Name(), s.Network.State(v.Context()), s.cameByTrial(v)
	p.Reader.Path = "/network/confirm"
	html, err := s.pages[v.lang].Confirm(p, time.Now())
	s.show(w, status, html, err)
}

// cameByTrial tells whether a request reached the box by the address that it uses now.
func (s *server) cameByTrial(v *visit) bool {
	local, ok := v.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	at, err := netip.ParseAddrPort(local.String())
	return err == nil && at.Addr().Unmap() == s.Network.State(v.Context()).Using
}

// confirmNetwork keeps the choice on trial for who has the token, and came by its address: nobody is locked out of
// what he can reach.
func (s *server) confirmNetwork(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	token := v.PostForm.Get("token")
	if s.Network.Confirm == nil {
		s.refuse(w, v, http.StatusConflict, "network.foreign")
		return
	}
	if !s.cameByTrial(v) {
		s.confirmPage(w, v, http.StatusConflict, page.Confirm{Token: token})
		return
	}
	if no := s.Network.Confirm(v.Context(), token); no.Sentence != "" {
		s.confirmPage(w, v, http.StatusConflict, page.Confirm{Said: s.refusal(no), Token: token})
		return
	}
	s.Accounts.Note(access.DeedNetworkKept, v.user.Name, "", v.from)
	s.confirmPage(w, v, http.StatusOK, page.Confirm{Kept: true})
}

func (s *server) recallNetwork(w http.ResponseWriter, v *visit) {
	if s.Network.Recall == nil {
		s.refuse(w, v, http.StatusConflict, "network.foreign")
		return
	}
	if no := s.Network.Recall(v.Context()); no.Sentence != "" {
		s.networkPage(w, v, http.StatusConflict, page.Network{Said: s.refusal(no)})
		return
	}
	s.Accounts.Note(access.DeedNetworkRecalled, v.user.Name, "", v.from)
	redirect(w, v, "/network?done=recalled")
}
