package fxosim

import "fmt"

// Faults are what may be wrong with the modem or its line, all at once if need be.
type Faults struct {
	Mute         bool // it answers nothing and its stream stands still
	RefuseDial   bool // it does not seize the line
	NoDuplex     bool // +VTR is an ERROR
	MissingBusy  bool // it never reports the busy tone
	Spurious     bool // it reports busy, loop and polarity events that never happened, once in a while
	Underruns    bool // it loses what it was given now and then, and says u
	Split        bool // every byte comes alone
	CutInPair    bool // its stream stops behind a DLE
	FalseEnd     bool // damage in the stream looks like its end once
	NoVoltage    bool // the line is not connected
	StuckOffHook bool // another telephone on the line is off its hook
	Reversed     bool // the two wires are exchanged
	Shared       bool // another telephone on the line answers every call at the second ring
	RawID        bool // caller id comes as MESG, in hexadecimal
	NoID         bool // and this one has none
	DeafEnds     int  // so many ends of a stream are not heard
}

// Fault is one of the catalogue.
type Fault struct {
	Name, Says string
	set        func(*Faults, bool)
}

// Unplug is the name of the fault that pulls the modem out.
const Unplug = "unplug"

// Catalogue lists the faults that a person can let befall the line.
func Catalogue() []Fault {
	return []Fault{
		{Unplug, "somebody pulls the modem out", nil},
		{"mute", "the modem answers nothing any more", func(f *Faults, on bool) { f.Mute = on }},
		{"no_voltage", "the telephone cable is pulled out", func(f *Faults, on bool) { f.NoVoltage = on }},
		{"off_hook", "another telephone on the line is off its hook", func(f *Faults, on bool) { f.StuckOffHook = on }},
		{"reversed", "the two wires of the line are exchanged", func(f *Faults, on bool) { f.Reversed = on }},
		{"shared", "another telephone on the line answers every call", func(f *Faults, on bool) { f.Shared = on }},
		{"cut_in_pair", "the modem's sound stops in the middle of a DLE pair", func(f *Faults, on bool) { f.CutInPair = on }},
		{"missing_busy", "the modem never reports the busy tone", func(f *Faults, on bool) { f.MissingBusy = on }},
		{"spurious", "the modem reports things that never happened", func(f *Faults, on bool) { f.Spurious = on }},
		{"underruns", "the modem loses sound now and then", func(f *Faults, on bool) { f.Underruns = on }},
		{"raw_id", "the modem gives the caller's number in hexadecimal", func(f *Faults, on bool) { f.RawID = on }},
		{"no_id", "the caller's number is not told", func(f *Faults, on bool) { f.NoID = on }},
	}
}

// FaultNamed is one of the catalogue.
func FaultNamed(name string) (Fault, error) {
	for _, f := range Catalogue() {
		if f.Name == name {
			return f, nil
		}
	}
	return Fault{}, fmt.Errorf("there is no fault %q", name)
}
