package metasim

import (
	"embed"
	"net/http"
)

//go:embed phonepage/index.html phonepage/phone.css phonepage/phone.js
var phoneFiles embed.FS

// phonePage serves the page on which a person plays the customer. Scripts and styles are files of their own, so that
// the policy can forbid everything inline.
func (s *Simulator) phonePage(mux *http.ServeMux) {
	serve := func(path, file, contentType string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			data, err := phoneFiles.ReadFile("phonepage/" + file)
			if err != nil {
				http.Error(w, "metasim: page is missing from the binary", http.StatusInternalServerError)
				return
			}
			h := w.Header()
			h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Cache-Control", "no-store")
			writeRaw(w, rawBody{status: http.StatusOK, contentType: contentType, data: data})
		})
	}
	serve("/phone", "index.html", "text/html; charset=utf-8")
	serve("/phone/phone.css", "phone.css", "text/css; charset=utf-8")
	serve("/phone/phone.js", "phone.js", "text/javascript; charset=utf-8")
}
