package dsp

import "time"

// Signal is what an exchange says by tones (ITU-T E.182), and their absence.
type Signal uint8

// The signals of call progress.
const (
	SignalSilence     Signal = iota + 1
	SignalDial               // it invites to dial
	SignalRingback           // the far end rings
	SignalBusy               // the far end is engaged or, after a conversation, gone
	SignalCongestion         // no way through; many exchanges say it after a conversation too
	SignalCallWaiting        // another call waits
	SignalInformation        // special information tone: an announcement follows that the call fails
)

func (s Signal) String() string {
	switch s {
	case SignalSilence:
		return "silence"
	case SignalDial:
		return "dial tone"
	case SignalRingback:
		return "ringback tone"
	case SignalBusy:
		return "busy tone"
	case SignalCongestion:
		return "congestion tone"
	case SignalCallWaiting:
		return "call waiting tone"
	case SignalInformation:
		return "special information tone"
	}
	return "no signal"
}

// Cadence is how one signal sounds.
type Cadence struct {
	Signal Signal
	Hz     [2]float64      // both at once; a second 0 is a single tone
	OnOff  []time.Duration // tone and pause in turns, repeated; one entry alone is a tone without end
}

// Network is what the exchanges of one country say.
type Network struct {
	Name        string
	Cadences    []Cadence
	Information [3]float64 // Hz of the special information tone, one after the other (ITU-T E.180 section 8)
}

// Italy is the Italian network: all tones are 425 Hz, and the dial tone is interrupted.
func Italy() Network {
	return Network{Name: "it", Information: informationHz, Cadences: []Cadence{
		single(SignalDial, 425, 200, 200, 600, 1000),
		single(SignalRingback, 425, 1000, 4000),
		single(SignalBusy, 425, 500, 500),
		single(SignalCongestion, 425, 200, 200),
		single(SignalCallWaiting, 425, 400, 100, 250, 100, 150, 14000),
	}}
}

// ETSI is the harmonised European set (ETSI TR 101 041): 425 Hz, a dial tone without pause.
func ETSI() Network {
	return Network{Name: "etsi", Information: informationHz, Cadences: []Cadence{
		single(SignalDial, 425, 0),
		single(SignalRingback, 425, 1000, 4000),
		single(SignalBusy, 425, 500, 500),
		single(SignalCongestion, 425, 200, 200),
		single(SignalCongestion, 425, 250, 250),
		single(SignalCallWaiting, 425, 200, 600, 200, 3000),
		single(SignalCallWaiting, 425, 200, 200, 200, 5000),
	}}
}

// NorthAmerica is the precise tone plan of North America: pairs of tones.
func NorthAmerica() Network {
	return Network{Name: "us", Information: informationHz, Cadences: []Cadence{
		pair(SignalDial, 350, 440, 0),
		pair(SignalRingback, 440, 480, 2000, 4000),
		pair(SignalBusy, 480, 620, 500, 500),
		pair(SignalCongestion, 480, 620, 250, 250),
		single(SignalCallWaiting, 440, 300, 10000),
	}}
}

// informationHz is the same in all networks.
var informationHz = [3]float64{950, 1400, 1800}

func single(s Signal, hz float64, ms ...int) Cadence { return pair(s, hz, 0, ms...) }

// pair is a cadence in milliseconds; 0 is a tone without end.
func pair(s Signal, a, b float64, ms ...int) Cadence {
	c := Cadence{Signal: s, Hz: [2]float64{a, b}}
	for _, d := range ms {
		c.OnOff = append(c.OnOff, time.Duration(d)*time.Millisecond)
	}
	return c
}

// endless says that the tone has no pauses.
func (c *Cadence) endless() bool { return len(c.OnOff) == 1 }

// ends says that the signal means, in a conversation, that the far end is gone.
func (s Signal) ends() bool { return s == SignalBusy || s == SignalCongestion }
