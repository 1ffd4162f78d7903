// Package config is the typed tree of everything an owner can set: one documented YAML file,
// defaults for what is left out, and one Validate that finds every mistake at once. It is pure:
// reading, writing and applying belong to config/live.
package config

import (
	"net/netip"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Version is the schema version that this program writes.
const Version = 1

// Config is the whole configuration. Each field's comment says its unit, its default, its range
// and what happens to a running box when it changes.
type Config struct {
	// Version of the schema; always 1 today.
	Version int   `yaml:"version"`
	Box     Box   `yaml:"box"`
	SIP     SIP   `yaml:"sip"`
	TLS     TLS   `yaml:"tls"`
	Media   Media `yaml:"media"`
	Web     Web   `yaml:"web"`

	Presence Presence `yaml:"presence"`

	Supervision Supervision `yaml:"supervision"`
	Recording   Recording   `yaml:"recording,omitempty"`

	Phones        []Phone       `yaml:"phones,omitempty"`
	Agents        []Agent       `yaml:"agents,omitempty"`
	Queues        []Queue       `yaml:"queues,omitempty"`
	MissedCallers MissedCallers `yaml:"missed_callers"`
	Trunks        []Trunk       `yaml:"trunks,omitempty"`
	Lines         []Line        `yaml:"lines,omitempty"`
	Routes        []Route       `yaml:"routes,omitempty"`
	Lamps         []Lamp        `yaml:"lamps,omitempty"`
	Lights        Lights        `yaml:"lights,omitempty"`
	Buttons       []Button      `yaml:"buttons,omitempty"`

	Dialling Dialling `yaml:"dialling"`
	Groups   []Group  `yaml:"groups,omitempty"`
	Hours    []Hours  `yaml:"hours,omitempty"`
	Pauses   Pauses   `yaml:"pauses,omitempty"`

	Dispositions []Disposition `yaml:"dispositions,omitempty"`

	Toll     Toll      `yaml:"toll"`
	SMS      SMS       `yaml:"sms"`
	Contacts []Contact `yaml:"contacts,omitempty"`

	Menus []Menu `yaml:"menus,omitempty"`
	// Conferences are rooms where many talk with each other.
	Conferences []Conference `yaml:"conferences,omitempty"`
	Prompts     Prompts      `yaml:"prompts,omitempty"`
	Voicemail   Voicemail    `yaml:"voicemail"`
	Mail        Mail         `yaml:"mail"`
	Backup      Backup       `yaml:"backup"`
}

// Box names the box and its place.
type Box struct {
	Name     string `yaml:"name"`     // shown on the page; default "Pronto"; applied at once
	Language string `yaml:"language"` // "it" (default) or "en": prompts and page; applied to new calls
	Timezone string `yaml:"timezone"` // IANA name; default Europe/Rome; applied to new calls
	Town     string `yaml:"town"`     // whose patron's day is a holiday, e.g. bologna or reggio-emilia; default none; applied to new calls
	Patron   string `yaml:"patron"`   // that day where the list does not know the town, e.g. 09-14; default: of the town
	// EmergencyTest, while set, is where 112 and its like lead instead of outside, so that an installer
	// can try them: ext:NUMBER, say:PROMPT or echo. Default empty. Applied to new calls.
	EmergencyTest string `yaml:"emergency_test"`
	// SupportUntil is the day until which whoever sold the box keeps it safe with updates, as the page says it,
	// e.g. 2031-12-31. Default: nobody has said. Applied at once.
	SupportUntil string `yaml:"support_until,omitempty"`
}

// SIP is where phones and carriers reach the box.
type SIP struct {
	Listen    netip.AddrPort `yaml:"listen"`              // UDP and TCP; default 0.0.0.0:5060, [::]:5060 is IPv6 too; needs a restart
	TLSListen netip.AddrPort `yaml:"tls_listen"`          // SIP over TLS; default none, usually 0.0.0.0:5061; needs a restart
	DSCP      int            `yaml:"dscp"`                // mark of SIP packets for routers, 0-63; default 24 (CS3), 0 = none; needs a restart
	Advertise netip.Addr     `yaml:"advertise,omitempty"` // address in Contact and SDP; default: of the route to the peer
	Realm     string         `yaml:"realm"`               // digest realm; default "pronto"; needs a restart, then phones log in again
	LAN       []netip.Prefix `yaml:"lan"`                 // networks where weak (MD5) phones may register; default the private ranges and loopback; [] is none

	SessionExpires time.Duration `yaml:"session_expires"` // a call that nobody refreshes for so long ends (RFC 4028); default 30m, min_se-24h, 0 = no timer of ours; needs a restart
	MinSE          time.Duration `yaml:"min_se"`          // who wants more frequent refreshes is told so; default 90s, 90s-1h; needs a restart

	Bans          Bans          `yaml:"bans"`
	Registrations Registrations `yaml:"registrations"`
}

// Media is where audio flows.
type Media struct {
	Bind    netip.Addr `yaml:"bind"`               // default 0.0.0.0; needs a restart
	PortMin int        `yaml:"port_min"`           // default 16384, even; needs a restart
	PortMax int        `yaml:"port_max"`           // default 24575; needs a restart
	DSCP    int        `yaml:"dscp"`               // mark of audio packets for routers, 0-63; default 46 (EF), 0 = none; needs a restart
	OpusMax OpusLimit  `yaml:"opus_max,omitempty"` // phones and carriers that may speak Opus at a time, each a thirtieth of a core of a Pi 4; default -1: four for each core, 0 = none, -1-64; needs a restart

	Browsers Browsers `yaml:"browsers,omitempty"`
}

// Web is where the page is.
type Web struct {
	Listen    netip.AddrPort `yaml:"listen"`     // plain HTTP; default 127.0.0.1:8080; needs a restart
	TLSListen netip.AddrPort `yaml:"tls_listen"` // HTTPS, with the certificate of tls; default none, usually 0.0.0.0:443; needs a restart
	// PlainHTTP lets people of the box's own networks sign in without HTTPS. Default true; without it
	// plain HTTP only shows the form for claiming a new box and sends everybody else to HTTPS.
	// Applied at once.
	PlainHTTP bool `yaml:"plain_http"`
}

// Secret is a password; it prints as stars.
type Secret string

// String hides the secret.
func (Secret) String() string { return "***" }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return "***" }

// Phone is one SIP device. Its id is the user name it registers with.
type Phone struct {
	ID         tel.DeviceID `yaml:"id"`
	Name       string       `yaml:"name"`
	Password   Secret       `yaml:"password"`    // at least 12 characters
	MD5        bool         `yaml:"md5"`         // the phone only knows MD5 digest: shown as weak, refused from outside the LAN
	AnyNetwork bool         `yaml:"any_network"` // may register from outside the LAN, over TLS only; default false
	SRTP       SRTP         `yaml:"srtp"`        // off, optional (default) or required; applied to new calls
	// A phone of a place and not of a person may have a number of its own; applied to new calls.
	Extension tel.Number `yaml:"extension"`      // internal number, 2-5 digits; default none
	Dial      []string   `yaml:"dial,omitempty"` // what it may call; default internal
	Door      *Door      `yaml:"door,omitempty"` // it is a door station
}

// Agent is a person who answers.
type Agent struct {
	ID        tel.AgentID    `yaml:"id"`
	Name      string         `yaml:"name"`
	Extension tel.Number     `yaml:"extension"`         // internal number, 2-5 digits
	Phones    []tel.DeviceID `yaml:"phones,omitempty"`  // all ring together
	Browser   bool           `yaml:"browser,omitempty"` // may telephone with the page, in a browser, beside the phones; default false; applied at once
	Lamp      tel.LampID     `yaml:"lamp"`              // may be empty
	Login     bool           `yaml:"login"`             // logged in when the box starts for the first time; default false
	Dial      []string       `yaml:"dial"`              // what the person may call: internal, local, mobile, international, premium; default internal, local, mobile; [] is nobody
	Calls     AgentCalls     `yaml:"calls"`             // forwards, follow-me, PIN ...
	Work      Work           `yaml:"work"`              // after-call work, shift, capacity ...
	Skills    map[string]int `yaml:"skills,omitempty"`  // what the person can, and how well: 1 to 10; applied at once, also to callers who wait
	// Supervises is whose conversations the person may take part in: queue:ID for the calls of a queue,
	// agent:ID for every call of a person. Default nobody's. Applied at once.
	Supervises []string `yaml:"supervises,omitempty"`
}

// Queue is a line of waiting callers and the agents who serve it.
type Queue struct {
	ID        tel.QueueID   `yaml:"id"`
	Name      string        `yaml:"name"`
	Number    tel.Number    `yaml:"number"`           // internal number
	Strategy  string        `yaml:"strategy"`         // longest_idle (default), round_robin, fewest_calls, least_talk, ordered, ring_all, progressive_ring, random or weighted_random; applied to the next decision
	Agents    []tel.AgentID `yaml:"agents,omitempty"` // applied at once
	Ring      time.Duration `yaml:"ring"`             // how long one agent rings; default 20s, 5s-120s
	WrapUp    time.Duration `yaml:"wrap_up"`          // after-call time; default 10s, 0-1h
	MaxWait   time.Duration `yaml:"max_wait"`         // then overflow; default 0 = no limit
	MaxLength int           `yaml:"max_length"`       // waiting callers; default 0 = no limit
	Overflow  string        `yaml:"overflow"`         // destination after max_wait, and where waiting says nothing else: "queue:ID", "ext:NUMBER", "outside:NUMBER" (at our cost), "voicemail:NUMBER", "say:PROMPT" or "hangup"; default hangup
	Priority  int           `yaml:"priority"`         // higher is served first, whatever others have waited; callers on dialling.vip have 1000 more; default 0, -999-9999
	Missed    Missed        `yaml:"missed,omitempty"` // what happens to who does not answer

	Distribution Distribution `yaml:"distribution"` // skills, levels, weights, the agent of the last time ...

	Waiting Waiting `yaml:"waiting,omitempty"`

	Alarms Alarms `yaml:"alarms,omitempty"` // when it calls for its supervisor
}

// Line is a GSM or analog line.
type Line struct {
	ID    tel.LineID `yaml:"id"`
	Name  string     `yaml:"name"`
	Type  string     `yaml:"type"`            // gsm, or fxo for an analog line behind a voice modem
	AT    string     `yaml:"at"`              // "usb" (the first modem of a known kind), "usb:SOCKET" (the one in that socket, e.g. usb:1.2), or the path of the AT port
	Audio string     `yaml:"audio"`           // path of the audio port; not needed with usb
	PIN   Secret     `yaml:"pin"`             // SIM PIN, tried once
	In    string     `yaml:"in"`              // destination of incoming calls
	SIM   SIM        `yaml:"sim"`             // how its SIM is watched
	Power ModemPower `yaml:"power,omitempty"` // a pin that cuts its supply

	Analog Analog `yaml:"analog,omitempty"` // of type fxo

	IMEI         string `yaml:"imei"`          // the modem that the line is, 15 digits; default whichever is there. With usb a modem keeps its line in any socket
	ICCID        string `yaml:"iccid"`         // the SIM that the line is, 18 to 20 digits; default whichever is in it
	SecondCaller string `yaml:"second_caller"` // who calls while the line talks: busy (default) gets the busy tone, wait rings on and is taken when the call ends
}

// Route sends dialled numbers outside.
type Route struct {
	Prefix  string   `yaml:"prefix"`        // dialled prefix; empty matches every outside number
	Via     []string `yaml:"via,omitempty"` // "trunk:ID" or "line:ID", tried in order
	Strip   int      `yaml:"strip"`         // digits removed from the front
	Prepend string   `yaml:"prepend"`       // digits put in front

	Pattern  string        `yaml:"pattern"`          // instead of prefix: a whole number in international form; X any digit, Z 1-9, N 2-9, a final dot any rest
	People   []tel.AgentID `yaml:"people,omitempty"` // who uses the route; default everybody
	Hours    string        `yaml:"hours"`            // only while these opening hours are open; default always
	Cheapest bool          `yaml:"cheapest"`         // try the cheapest of via first, by dialling.outlets; default false
}
