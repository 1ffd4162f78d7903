package config

import (
	"net/netip"
	"time"
)

// Default returns the configuration of an empty file.
func Default() Config {
	return Config{
		Version: Version,
		Box:     Box{Name: "Pronto", Language: "it", Timezone: "Europe/Rome"},
		SIP: SIP{
			Listen:         netip.MustParseAddrPort("0.0.0.0:5060"),
			DSCP:           24,
			Realm:          "pronto",
			SessionExpires: 30 * time.Minute, MinSE: leastSE,
			LAN: []netip.Prefix{
				netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"),
				netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
				netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"),
			},
			Bans: defaultBans(), Registrations: defaultRegistrations(),
		},
		Media: Media{Bind: netip.IPv4Unspecified(), PortMin: 16384, PortMax: 24575, DSCP: 46, OpusMax: opusByCores, Browsers: defaultBrowsers()},
		Web:   Web{Listen: netip.MustParseAddrPort("127.0.0.1:8080"), PlainHTTP: true},

		Dialling:      Dialling{ParkFirst: "701", ParkLast: "720", ParkFor: 2 * time.Minute},
		MissedCallers: MissedCallers{Keep: 720 * time.Hour},
		Lights:        defaultLights(),
		Toll:          defaultToll(),
		SMS:           defaultSMS(),
		Voicemail:     defaultVoicemail(),
		Mail:          Mail{Port: 587, Security: "starttls"},
		Backup:        defaultBackup(),
		Presence:      Presence{Messages: true, UnsolicitedMWI: true},

		Supervision: defaultSupervision(),
		Recording:   defaultRecording(),
	}
}

// normalise fills the defaults of list entries, which YAML creates as zero values.
func (c *Config) normalise() {
	c.normaliseDialling()
	c.normaliseDoors()
	c.normaliseLights()
	c.normaliseMenus()
	c.normaliseConferences()
	c.normaliseVoicemail()
	c.normaliseSRTP()
	c.normaliseSIMs()
	c.normaliseModems()
	c.normaliseAnalog()
	c.normalisePower()
	c.normaliseButtons()
	c.normaliseWork()
	c.normaliseDistribution()
	for i := range c.Queues {
		q := &c.Queues[i]
		if q.Ring == 0 {
			q.Ring = 20 * time.Second
		}
		if q.Overflow == "" {
			q.Overflow = "hangup"
		}
		q.normaliseWaiting()
	}
	for i := range c.Trunks {
		c.Trunks[i].normalise()
	}
	for i := range c.Agents {
		if a := &c.Agents[i]; a.Dial == nil {
			a.Dial = []string{"internal", "local", "mobile"}
		}
	}
}
