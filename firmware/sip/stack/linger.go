package stack

// A finished request other than INVITE stays for 32 s (Timer J of RFC 3261 section 17.2.2), to be
// answered alike should it come again. At thousands of requests a second these would fill the table,
// and memory; so they may take a quarter of it, and the oldest of them go early. Their requests, come
// again after all, are taken for new ones.

// lingerShare is the part of the table that finished requests may fill.
const lingerShare = 4

// linger remembers a transaction that has just finished. The mutex is held.
func (sh *shard) linger(tx *ServerTx) {
	if tx.m.role == plainServer && tx.m.phase == phaseCompleted && !tx.lingers {
		tx.lingers = true
		sh.lingering = append(sh.lingering, tx)
		if most := sh.stack.cfg.MaxTransactions / lingerShare / len(sh.stack.shards); len(sh.lingering) > max(most, 1) {
			sh.makeRoom()
		}
	}
}

// makeRoom ends the transaction that has been finished for longest; false = this shard has none. The
// mutex is held.
func (sh *shard) makeRoom() bool {
	for len(sh.lingering) > 0 {
		tx := sh.lingering[0]
		sh.lingering[0] = nil
		sh.lingering = sh.lingering[1:]
		if tx.m.phase == phaseCompleted {
			tx.m.phase = phaseEnded
			tx.end()
			return true
		}
	}
	return false
}

// forgetEnded drops those whose time is over. They end in the order in which they finished. The mutex
// is held.
func (sh *shard) forgetEnded() {
	for len(sh.lingering) > 0 && sh.lingering[0].m.phase == phaseEnded {
		sh.lingering[0] = nil
		sh.lingering = sh.lingering[1:]
	}
}
