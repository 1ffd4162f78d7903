package media

import "time"

// highWaterEvery is how often the place in the sent stream is journalled while packets flow.
const highWaterEvery = 30 * time.Second

// changed journals the state of a leg.
func (l *loop) changed(g *Leg) {
	g.savedAt, g.savedPackets = l.now, g.out.packets
}

// forget removes a closed leg from the journal.
func (l *loop) forget(*Leg) {}
