package release

// Box is what a release is judged against.
type Box struct {
	ID      string // by which it is counted into a percentage
	Model   string // as Manifest.Models has it
	EEPROM  Date   // of the boot loader; empty: it has none, or does not tell
	Version string // that runs
	Epoch   uint32 // the highest that was kept
	Data    uint32 // engine version of what lies on the disk
}
