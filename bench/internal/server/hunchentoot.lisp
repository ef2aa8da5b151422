;; By default, SBCL would wait for its threads.
(sb-sys:enable-interrupt sb-unix:sigterm :default)

(require :asdf)
(let ((*standard-output* (make-broadcast-stream)))
  (asdf:load-system :hunchentoot))

(hunchentoot:define-easy-handler (yo :uri "/yo") ()
  (setf (hunchentoot:content-type*) "text/plain; charset=utf-8")
  "Hey!")

(defun pause ()
  (setf (hunchentoot:content-type*) "text/plain; charset=utf-8")
  (sleep (/ (parse-integer (hunchentoot:script-name*) :start (length "/sleep/")) 1000))
  "slept")

(push (hunchentoot:create-prefix-dispatcher "/sleep/" 'pause) hunchentoot:*dispatch-table*)

(hunchentoot:start
 (make-instance 'hunchentoot:easy-acceptor
                :address "127.0.0.1" :port {{.Port}}
                :access-log-destination nil
                :listen-backlog 4096
                {{- if .Conns}}
                :taskmaster (make-instance 'hunchentoot:one-thread-per-connection-taskmaster
                                           :max-thread-count {{.Connections 100}}
                                           :max-accept-count (* 2 {{.Connections 100}}))
                {{- end}}))

(loop (sleep 3600))
