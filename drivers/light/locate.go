package light

// Locate finds the line that a pin means, among chips of whatever numbers. The error says what was found instead.
func Locate(p Pin, chips []Chip) (chip Chip, offset int, err error) { return find(p, chips) }

// Held is a Chip that knows who has its lines.
type Held interface {
	Holder(offset int) string // by the name that the holder gave; empty: nobody
}

// Holder implements Held.
func (k *kernelChip) Holder(offset int) string {
	info, err := k.chip.LineInfo(offset)
	if err != nil || !info.Used {
		return ""
	}
	if info.Consumer == "" {
		return "the kernel"
	}
	return info.Consumer
}
