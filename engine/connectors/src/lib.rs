//! Sources and sinks: files, elements, generators, sockets, standard streams
