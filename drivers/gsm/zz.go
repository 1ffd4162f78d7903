package gsm
func (m *Modem) asking() bool { return false }
