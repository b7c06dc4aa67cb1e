;; SPDX-License-Identifier: Apache-2.0
(let ((sum 0))
  (dotimes (round 30)
    (let ((blocks (loop for i below 2000 collect (sb-alien:make-alien (sb-alien:unsigned 8) (+ 16 (* 7 i))))))
      (loop for block in blocks for i from 0
            do (setf (sb-alien:deref block 0) (mod i 251)))
      (dolist (block blocks) (incf sum (sb-alien:deref block 0)))
      (mapc #'sb-alien:free-alien blocks)))
  (let ((lists (loop for i below 300000 collect (list i (format nil "~d" (mod (* i 7919) 10007))))))
    (gc :full t)
    (incf sum (reduce #'+ lists :key (lambda (entry) (length (second entry))))))
  (format t "~d ~d~%" sum (length (sb-ext:process-plist
    (sb-ext:run-program "/bin/echo" '("through exec") :output nil)))))
