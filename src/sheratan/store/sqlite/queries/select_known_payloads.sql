SELECT digest FROM payload WHERE digest IN (SELECT unhex(value) FROM json_each(?))
