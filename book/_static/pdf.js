// book/pdf.py replaces this file in the built book when it has printed it: then every page links the PDF.
