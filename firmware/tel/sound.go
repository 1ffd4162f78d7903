package tel

import "time"

// LegSound is how the audio of a leg was; a field is 0 where nothing is known.
type LegSound struct {
	Heard float64 `json:"heard,omitempty"` // mean opinion, 1 to 4.5, of what others heard of the party (ITU-T G.107)
	Hears float64 `json:"hears,omitempty"` // and of what the party heard, by its reports

	Loss      float64       `json:"loss,omitempty"`   // percent of the party's packets that were lost or came too late
	Bursts    uint64        `json:"bursts,omitempty"` // spans of much loss (RFC 3611 section 4.7.2)
	BurstLoss float64       `json:"burst_loss,omitempty"`
	Jitter    time.Duration `json:"jitter,omitempty"`
	Drift     float64       `json:"drift,omitempty"`     // parts per million by which its clock is fast
	Concealed time.Duration `json:"concealed,omitempty"` // sound that we invented for what was lost
	RoundTrip time.Duration `json:"round_trip,omitempty"`
	FarLoss   float64       `json:"far_loss,omitempty"` // percent of our packets that the party did not get
	FarJitter time.Duration `json:"far_jitter,omitempty"`
	Echo      time.Duration `json:"echo,omitempty"`      // how long after what the party is told it comes back from it
	EchoLoss  float64       `json:"echo_loss,omitempty"` // and how much weaker, in dB

	Trouble SoundTrouble `json:"trouble,omitempty"` // the worst that was wrong
	Place   SoundPlace   `json:"place,omitempty"`   // and where
}

// SoundTrouble is what is wrong with the sound of a leg.
type SoundTrouble string

// The troubles.
const (
	SoundFine       SoundTrouble = ""
	SoundOneWay     SoundTrouble = "one_way"    // packets go one way only
	SoundStall      SoundTrouble = "stall"      // the box itself was late
	SoundBursts     SoundTrouble = "bursts"     // many packets are lost one after the other
	SoundLoss       SoundTrouble = "loss"       // packets are lost here and there
	SoundJitter     SoundTrouble = "jitter"     // packets come too late or at uneven times
	SoundReordering SoundTrouble = "reordering" // packets overtake each other
	SoundEcho       SoundTrouble = "echo"       // who talks to the party hears the own voice again
	SoundDrift      SoundTrouble = "drift"      // the clock of the far end is wrong
	SoundSilence    SoundTrouble = "silence"    // packets come, but nobody is heard: a muted or broken microphone
)

// SoundPlace is where a trouble of the sound has its cause.
type SoundPlace string

// The places.
const (
	SoundNowhere   SoundPlace = ""
	SoundAtPhone   SoundPlace = "phone_network" // between the box and the phone: cables, Wi-Fi, the phone itself
	SoundAtCarrier SoundPlace = "carrier"       // between the box and the carrier, and beyond
	SoundAtBox     SoundPlace = "box"
)

// WorstSound is the leg of a call that was heard worst, of those with a trouble; the zero note if none had one.
func (c CallEnded) WorstSound() (worst LegNote) {
	for _, l := range c.Media {
		if l.Sound.Trouble != SoundFine && (worst.Sound.Trouble == SoundFine || l.Sound.Heard < worst.Sound.Heard) {
			worst = l
		}
	}
	return worst
}
