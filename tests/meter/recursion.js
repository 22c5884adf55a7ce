function main(){ let n=0; function f(){ n++; return f()+1 } try { f() } catch(e){ return [n,e.message] } }
